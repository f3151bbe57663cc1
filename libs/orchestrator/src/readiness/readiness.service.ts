import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SandboxError, within } from '@sandbox/errors';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import type { Transport } from '../channel/channel';
import { openAgentChannel } from '../runtime/start-agent';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { WarmPool, type PoolState } from '../pool/warm-pool';

/** The state of each thing that commands need: `ok`, or what is wrong. */
export interface ReadinessChecks {
  docker: string;
  store: string;
  image: string;
}

/** The deadline of one check. It is below the 3 s within which GET /ready answers. */
const CHECK_DEADLINE_MS = 2_500;
/** How long an image counts as unusable before it is tried again. */
const FAILED_PROBE_MS = 10_000;

/** Tells whether commands can run now. GET /ready reports it. */
@Injectable()
export class ReadinessService {
  private checking: Promise<ReadinessChecks> | undefined;
  private probe: Promise<void> | undefined;
  private probedTransport: Transport = 'exec';

  constructor(
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    private readonly warmPool: WarmPool,
  ) {}

  /** The state of the warm pool in this process. */
  get pool(): PoolState {
    return this.warmPool.state;
  }

  /** The way that the frames took to the sandbox in which the image was tried. */
  get transport(): Transport {
    return this.probedTransport;
  }

  /**
   * Checks everything. Callers that ask meanwhile share the check under way, because anyone may ask
   * and each check costs calls to Docker and the store.
   */
  checkReadiness(): Promise<ReadinessChecks> {
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

  /**
   * Tries the image. An image that worked once is trusted from then on. One that did not work is
   * tried again later.
   */
  private probed(): Promise<void> {
    this.probe ??= this.probeImage().catch((error: unknown) => {
      setTimeout(() => (this.probe = undefined), FAILED_PROBE_MS).unref();
      throw error;
    });
    return this.probe;
  }

  /** Creates a sandbox, checks that its agent starts (so sh and python3 exist), and removes it. */
  private async probeImage(): Promise<void> {
    const key = createHash('sha256').update(`probe ${randomUUID()}`).digest('hex');
    try {
      // Without a volume, since nothing would remove it if this process died here.
      const sandbox = await this.runtime.ensureSandbox({ key, userKey: key }, { persistent: false });
      const channel = await openAgentChannel(this.runtime, sandbox.id);
      this.probedTransport = channel.transport;
      channel.close();
    } finally {
      await this.runtime.removeSandbox(key);
    }
  }
}

function outcome(check: Promise<void>): Promise<string> {
  const result = check.then(
    () => 'ok',
    (error: unknown) => (error instanceof SandboxError ? error.message : 'not available'),
  );
  return within(CHECK_DEADLINE_MS, result, () => 'no answer in time');
}
