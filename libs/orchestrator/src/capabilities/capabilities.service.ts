import { Inject, Injectable } from '@nestjs/common';
import { COMMAND_POLICY, type CommandPolicy, SHELLS } from '@sandbox/command-policy';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError, within } from '@sandbox/errors';
import { SESSION_STORE, sessionRef, type SessionStore, type User } from '@sandbox/sessions';
import { mayUseDisk } from '../options/describe-disk';
import { ImageProbe } from '../readiness/image-probe';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { type Capabilities, settingsOf } from './capabilities';

/** How long an answer waits for the engine. An answer without what the engine knows is one, too. */
const ENGINE_DEADLINE_MS = 5_000;

/** Tells a user what this deployment can do. It makes no session and prolongs none. */
@Injectable()
export class CapabilitiesService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(COMMAND_POLICY) private readonly policy: CommandPolicy,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    private readonly images: ImageProbe,
  ) {}

  /**
   * @param image whose programs are listed; the default one if absent. The first question for an
   *   image makes a sandbox of it, which is nobody's session.
   * @throws SandboxError VALIDATION_FAILED if no session may have the image; STORE_UNAVAILABLE
   */
  async describeFor(user: User, image?: string): Promise<Capabilities> {
    const { config, policy, runtime } = this;
    const limits = { config, policy, capabilities: runtime.capabilities, networkRefusal: runtime.networkRefusal() };
    const { sessions, workspace, ...settings } = settingsOf(limits);
    if (image !== undefined && !settings.images.includes(image)) throw unknownImage(settings.images);
    const [left, programs, diskBound] = await Promise.all([
      this.sessionsLeft(user),
      known(async () => (await this.images.probe(image)).programs),
      known(() => runtime.diskBound()),
    ]);
    const allowed = new Set(policy.allowed);
    return {
      image: {
        name: image ?? config.CONTAINER_IMAGE,
        programs: programs && programs.filter((name) => policy.mode === 'off' || allowed.has(name)),
        shells: programs && SHELLS.filter((shell) => shell === 'auto' || programs.includes(shell)),
      },
      ...settings,
      workspace: { ...workspace, disk_bound: mayUseDisk(config) ? diskBound : null },
      sessions: { ...sessions, left },
    };
  }

  private async sessionsLeft(user: User): Promise<number> {
    const { userKey } = sessionRef(this.config.DEPLOYMENT, user, '');
    const live = await this.store.listSessions(userKey, this.store.now());
    return Math.max(0, this.config.MAX_SESSIONS_PER_USER - live.length);
  }
}

/** @returns what the engine says; null if it says nothing in time */
async function known<T>(ask: () => Promise<T>): Promise<T | null> {
  const answer = Promise.resolve()
    .then(ask)
    .catch(() => null);
  return within(ENGINE_DEADLINE_MS, answer, () => null);
}

function unknownImage(images: readonly string[]): SandboxError {
  const message = `image must be one of ${images.join(', ')}`;
  return new SandboxError(ErrorCode.VALIDATION_FAILED, 'No session may have this image.', { errors: [{ field: 'image', message }] });
}
