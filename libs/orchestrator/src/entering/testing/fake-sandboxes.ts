import { randomBytes } from 'node:crypto';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { FakeAgent, settle } from '../../channel/testing/fake-agent';
import type { EnsuredSandbox, Sandbox, SandboxOwner, SandboxRuntime, SandboxStart } from '../../runtime/sandbox-runtime';
import type { SandboxProcess } from '../../channel/sandbox-process';

interface Container {
  readonly sandbox: Sandbox;
  start: SandboxStart;
  agents: FakeAgent[];
}

/**
 * An engine that holds sandboxes in memory. What happens to one at a given moment, between two
 * calls of the product, no real engine can be made to do.
 */
export class FakeSandboxes implements Pick<
  SandboxRuntime,
  'ensureSandbox' | 'findSandbox' | 'startOf' | 'startProcess' | 'listenDirectly'
> {
  /** By the session's key. */
  private readonly containers = new Map<string, Container>();
  /**
   * Called before the engine answers each call of that name: a test has things happen there, or
   * fail.
   */
  readonly before: { ensure?: () => unknown; exec?: () => unknown; startOf?: () => unknown } = {};

  get runtime(): SandboxRuntime {
    return this as unknown as SandboxRuntime;
  }

  async ensureSandbox({ key }: SandboxOwner): Promise<EnsuredSandbox> {
    await this.before.ensure?.();
    const known = this.containers.get(key);
    if (known) return { ...known.sandbox, created: false };
    return { ...this.make(key).sandbox, created: true };
  }

  async findSandbox(key: string): Promise<Sandbox | null> {
    return this.containers.get(key)?.sandbox ?? null;
  }

  async startOf(id: string): Promise<SandboxStart> {
    await this.before.startOf?.();
    return this.byId(id).start;
  }

  async startProcess(id: string): Promise<SandboxProcess> {
    await this.before.exec?.();
    const agent = new FakeAgent();
    this.byId(id).agents.push(agent);
    return agent.process;
  }

  async listenDirectly(): Promise<null> {
    return null;
  }

  /** Has a sandbox of the session be there, as another process makes it. */
  make(key: string, pooled = false): Container {
    const id = randomBytes(32).toString('hex');
    const sandbox = { id, name: key, key, slot: null, image: 'i', options: {}, settings: {}, createdAt: Date.now(), pooled };
    const container = { sandbox, start: { id: 'first', again: false }, agents: [] };
    this.containers.set(key, container);
    return container;
  }

  /** What `docker restart` does; resolves when its processes' channels have closed. */
  async restart(key: string): Promise<void> {
    this.startAgain(key);
    await this.breakChannels(key);
  }

  /** As `restart`, but the channels into the start before have not closed yet. */
  startAgain(key: string): void {
    const container = this.containers.get(key)!;
    container.start = { id: `${container.start.id} again`, again: true };
  }

  /** Ends the session's agents, and nothing else; resolves when their channels have closed. */
  async breakChannels(key: string): Promise<void> {
    for (const agent of this.containers.get(key)!.agents.splice(0)) agent.end(137);
    await settle();
  }

  async remove(key: string): Promise<void> {
    await this.breakChannels(key);
    this.containers.delete(key);
  }

  private byId(id: string): Container {
    const found = [...this.containers.values()].find(({ sandbox }) => sandbox.id === id);
    if (!found) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'It is gone.');
    return found;
  }
}
