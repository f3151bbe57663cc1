import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Stands between the service and a Docker engine, so that the engine is away or hangs only for the
 * service. It cannot make the engine forget: containers live on meanwhile.
 */
export class EngineProxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private readonly afterStall: (() => void)[] = [];
  private state: 'open' | 'cut' | 'stalled' = 'open';

  private constructor(
    private readonly server: Server,
    private readonly directory: string,
    private readonly engine: NetConnectOpts,
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  /** @param engineHost as DOCKER_HOST says it */
  static async start(engineHost: string): Promise<EngineProxy> {
    const directory = mkdtempSync(join(tmpdir(), 'sandbox-chaos-'));
    const proxy = new EngineProxy(createServer({ allowHalfOpen: true }), directory, addressOf(engineHost));
    await new Promise<void>((resolve) => proxy.server.listen(join(proxy.directory, 'docker.sock'), resolve));
    return proxy;
  }

  get host(): string {
    return `unix://${join(this.directory, 'docker.sock')}`;
  }

  /** Breaks every connection, and lets no new one last. */
  cut(): void {
    this.state = 'cut';
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
  }

  /** Keeps connections open and takes some bytes, but moves nothing. */
  stall(): void {
    this.state = 'stalled';
    for (const [client, engine] of this.pairs) {
      client.unpipe(engine).pause();
      engine.unpipe(client).pause();
    }
  }

  restore(): void {
    this.state = 'open';
    for (const step of this.afterStall.splice(0)) step();
    for (const [client, engine] of this.pairs) client.pipe(engine).pipe(client);
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
    rmSync(this.directory, { recursive: true, force: true });
  }

  private accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.state === 'cut') return void client.destroy();
    const engine = connect({ ...this.engine, allowHalfOpen: true });
    engine.on('error', () => undefined);
    const pair = [client, engine] as const;
    this.pairs.add(pair);
    for (const socket of pair) socket.on('close', () => this.closed(pair));
    if (this.state === 'stalled') client.pause();
    else client.pipe(engine).pipe(client);
  }

  /** A hung engine does not notice that its client has gone. */
  private closed(pair: readonly [Socket, Socket]): void {
    if (!this.pairs.delete(pair)) return;
    const part = (): void => pair.forEach((socket) => socket.destroy());
    if (this.state === 'stalled') this.afterStall.push(part);
    else part();
  }
}

function addressOf(engineHost: string): NetConnectOpts {
  const { protocol, hostname, port, pathname } = new URL(engineHost);
  return protocol === 'unix:' ? { path: pathname } : { host: hostname, port: Number(port || 2375) };
}
