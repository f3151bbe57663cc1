import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { SandboxError, within } from '@sandbox/errors';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import type { Transport } from '../channel/channel';
import { type DiskBound, ignoredSettings } from '../options/runtime-capabilities';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { WarmPool, type PoolState } from '../pool/warm-pool';
import { ImageProbe } from './image-probe';

/**
 * The state of each thing that commands need: `ok`, or what is wrong. What makes the sandboxes has
 * its own name.
 */
export interface ReadinessChecks {
  docker?: string;
  kubernetes?: string;
  store: string;
  image: string;
}

/** The deadline of one check. It is below the 3 s within which GET /ready answers. */
const CHECK_DEADLINE_MS = 2_500;

/** Tells whether commands can run now. GET /ready reports it. */
@Injectable()
export class ReadinessService {
  private checking: Promise<ReadinessChecks> | undefined;
  private probedTransport: Transport = 'exec';
  private foundBound: DiskBound | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    private readonly warmPool: WarmPool,
    private readonly images: ImageProbe,
  ) {}

  /** The state of the warm pool in this process. */
  get pool(): PoolState {
    return this.warmPool.state;
  }

  /** The way that the frames took to the sandbox in which the image was tried. */
  get transport(): Transport {
    return this.probedTransport;
  }

  /** How workspaces on the disk are bounded; null if the engine has not told yet. */
  get disk(): DiskBound | null {
    return this.foundBound;
  }

  /** The settings that the runtime cannot keep to. */
  get ignoredSettings(): string[] {
    return ignoredSettings(this.runtime.capabilities);
  }

  /**
   * Checks everything. Callers that ask meanwhile share the check under way, because anyone may ask
   * and each check costs calls to the runtime and the store.
   */
  checkReadiness(): Promise<ReadinessChecks> {
    this.checking ??= this.checkAll().finally(() => (this.checking = undefined));
    return this.checking;
  }

  private async checkAll(): Promise<ReadinessChecks> {
    const [runtime, store, image] = await Promise.all([
      outcome(this.runtime.ping()),
      outcome(this.store.ping()),
      outcome(this.runtime.checkImage().then(() => this.tryImage())),
      outcome(this.noteBound()),
    ]);
    return { [this.config.SANDBOX_RUNTIME]: runtime, store, image };
  }

  /** For information: it says nothing of whether commands can run. */
  private async noteBound(): Promise<void> {
    this.foundBound ??= await this.runtime.diskBound();
  }

  private async tryImage(): Promise<void> {
    const { transport } = await this.images.probe();
    this.probedTransport = transport;
  }
}

function outcome(check: Promise<void>): Promise<string> {
  const result = check.then(
    () => 'ok',
    (error: unknown) => (error instanceof SandboxError ? error.message : 'not available'),
  );
  return within(CHECK_DEADLINE_MS, result, () => 'no answer in time');
}
