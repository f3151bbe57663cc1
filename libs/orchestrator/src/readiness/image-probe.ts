import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { Transport } from '../channel/channel';
import { openAgentChannel } from '../runtime/start-agent';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { listImagePrograms } from './image-programs';

/** What a trial of an image has found. */
export interface ProbedImage {
  /** The way that the frames took to the sandbox. */
  readonly transport: Transport;
  /** The programs on its PATH, sorted. */
  readonly programs: readonly string[];
}

/** How long an image counts as unusable before it is tried again. */
const FAILED_PROBE_MS = 10_000;

/**
 * Tries images: each once in this process, in a sandbox of its own that nobody else uses. An image
 * that worked once is trusted from then on. One that did not work is tried again later.
 */
@Injectable()
export class ImageProbe {
  private readonly probes = new Map<string, Promise<ProbedImage>>();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
  ) {}

  /**
   * @param image one that the operator allows
   * @throws what the runtime and the agent throw
   */
  probe(image = this.config.CONTAINER_IMAGE): Promise<ProbedImage> {
    const known = this.probes.get(image);
    if (known !== undefined) return known;
    const probing = this.probeImage(image).catch((error: unknown) => {
      setTimeout(() => this.probes.delete(image), FAILED_PROBE_MS).unref();
      throw error;
    });
    this.probes.set(image, probing);
    return probing;
  }

  /** Makes a sandbox, starts its agent and a shell (so sh and python3 exist), and removes it. */
  private async probeImage(image: string): Promise<ProbedImage> {
    const key = createHash('sha256').update(`probe ${randomUUID()}`).digest('hex');
    try {
      // Without a volume, since nothing would remove it if this process died here.
      const options = { persistent: false, ...(image !== this.config.CONTAINER_IMAGE && { image }) };
      const sandbox = await this.runtime.ensureSandbox({ key, userKey: key }, options);
      const channel = await openAgentChannel(this.runtime, sandbox.id);
      try {
        return { transport: channel.transport, programs: await listImagePrograms(channel) };
      } finally {
        channel.close();
      }
    } finally {
      await this.runtime.removeSandbox(key);
    }
  }
}
