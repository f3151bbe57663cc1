import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** @returns a TCP port on which nothing listens at the moment */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Polls until `check` returns something true.
 * @throws Error after `seconds`, with the last error of `check`
 */
export async function eventually<T>(what: string, check: () => Promise<T | undefined | false | null>, seconds = 30): Promise<T> {
  const giveUpAt = Date.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const result = await check();
      if (result) return result;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > giveUpAt) throw new Error(`not within ${seconds} s: ${what}${last ? ` (${String(last)})` : ''}`);
    await sleep(50);
  }
}

const LAST_WORDS_MS = 1_000;

/** A process of the service, wherever it runs. */
export type ServiceProcess = Pick<Child, 'output' | 'pid' | 'isRunning' | 'exited' | 'signal' | 'stop'>;

/** A child process. Its output is kept for the tests. It comes a moment after it was written. */
export class Child {
  output = '';
  readonly exited: Promise<number | null>;

  constructor(readonly process: ChildProcess) {
    for (const stream of [process.stdout, process.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    const closed = new Promise((resolve) => process.once('close', resolve));
    this.exited = new Promise((resolve) => process.once('exit', resolve)).then(async (code) => {
      // What it wrote last is still in the pipes. A child of its own may hold them open.
      await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
      return code as number | null;
    });
  }

  get pid(): number {
    return this.process.pid!;
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.isRunning) this.signal(signal);
    return this.exited;
  }
}

/**
 * A Redis server of the test's own. It keeps its port over restarts, and writes nothing to disk.
 */
export class TestRedis {
  private child!: Child;

  private constructor(
    readonly port: number,
    private readonly directory: string,
  ) {}

  static async start(): Promise<TestRedis> {
    const redis = new TestRedis(await freePort(), mkdtempSync(join(tmpdir(), 'sandbox-redis-')));
    await redis.up();
    return redis;
  }

  async up(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.directory];
    this.child = new Child(spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    await eventually('Redis answers', () => this.send('PING'));
  }

  /** Kills the server. Its data is gone. */
  async down(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.child.stop(signal);
  }

  async stop(): Promise<void> {
    await this.down();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async flush(): Promise<void> {
    await this.send('FLUSHALL');
  }

  signal(signal: NodeJS.Signals): void {
    this.child.process.kill(signal);
  }

  /**
   * Sends one inline command.
   * @returns the text of the reply
   */
  send(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(`${command}\r\n`));
      socket.once('error', reject);
      socket.once('data', (data) => {
        socket.destroy();
        resolve(data.toString());
      });
    });
  }
}
