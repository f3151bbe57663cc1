import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { SESSION_STORE, sessionRef, type SessionStore, type User } from '@sandbox/sessions';
import { inLiveSandbox, sessionNotFound } from '../entering/live-sandbox';
import { SessionConnections } from '../entering/session-connections';
import { measureUsage, type SandboxUsage } from './sandbox-usage';

/** Tells what the sandboxes of live sessions use. */
@Injectable()
export class UsageService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    private readonly connections: SessionConnections,
  ) {}

  /**
   * Measures, for about a fifth of a second. It makes no session and does not prolong one.
   * @throws SandboxError SESSION_NOT_FOUND, also if its sandbox does not run; SANDBOX_*,
   *   STORE_UNAVAILABLE, RUNTIME_UNAVAILABLE
   */
  async measureUsage(user: User, sessionId: string, signal?: AbortSignal): Promise<SandboxUsage> {
    const { key } = sessionRef(this.config.DEPLOYMENT, user, sessionId);
    const record = await this.store.getSession(key, this.store.now());
    if (record?.containerId == null) throw sessionNotFound();
    return inLiveSandbox(this.connections, record, sessionNotFound, (channel) => measureUsage(channel, signal));
  }
}
