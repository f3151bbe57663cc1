import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SandboxError } from '@sandbox/errors';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { openAgentChannel } from './agent-channel';
import { SANDBOX_RUNTIME, type SandboxRuntime } from './sandbox-runtime';
import { WarmPool, type PoolState } from './warm-pool';

/** `ok`, or what is wrong, for each thing a command needs. */
export interface ReadinessChecks {
  docker: string;
  store: string;
  image: string;
}

/** Every check answers by then, milliseconds; below the 3 s in which /ready answers. */
const CHECK_DEADLINE_MS = 2_500;
/** An image found unusable is tried again after this, milliseconds. */
const FAILED_PROBE_MS = 10_000;

@Injectable()
export class ReadinessService {
  private checking: Promise<ReadinessChecks> | undefined;
  private probe: Promise<void> | undefined;

  constructor(
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    private readonly warmPool: WarmPool,
  ) {}

  get pool(): PoolState {
    return this.warmPool.state;
  }

  /** Callers that ask meanwhile share the check under way: anybody may ask, and each check asks Docker and the store. */
  check(): Promise<ReadinessChecks> {
    this.checking ??= this.checkAll().finally(() => (this.checking = undefined));
    return this.checking;
  }

  private async checkAll(): Promise<ReadinessChecks> {
    const [docker, store, image] = await Promise.all([
      outcome(this.runtime.ping()),
      outcome(this.store.ping()),
      outcome(this.runtime.checkImage().then(() => this.probed())),
    ]);
    return { docker, store, image };
  }

  /** An image that once gave a working sandbox is taken to go on doing so; one that did not is tried again. */
  private probed(): Promise<void> {
    this.probe ??= this.probeImage().catch((error: unknown) => {
      setTimeout(() => (this.probe = undefined), FAILED_PROBE_MS).unref();
      throw error;
    });
    return this.probe;
  }

  /** Makes a sandbox, sees that its agent runs (so sh and python3 are there), and removes it. */
  private async probeImage(): Promise<void> {
    const key = createHash('sha256').update(`probe ${randomUUID()}`).digest('hex');
    try {
      // Without a volume, which nobody would remove where this is cut off.
      const sandbox = await this.runtime.ensure({ key, userKey: key }, { persistent: false });
      (await openAgentChannel(this.runtime, sandbox.id)).close();
    } finally {
      await this.runtime.remove(key);
    }
  }
}

async function outcome(check: Promise<void>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, CHECK_DEADLINE_MS, 'no answer in time');
  });
  const result = check.then(
    () => 'ok',
    (error: unknown) => (error instanceof SandboxError ? error.message : 'not available'),
  );
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
