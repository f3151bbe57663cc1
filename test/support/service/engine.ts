import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { Child, eventually } from './processes';
import { docker } from './deployment';
import { TEST_IMAGE } from '../engine-under-test';

const IN_ROOT = join(__dirname, '../../../scripts/engines/in-root.sh');
/** The root directory of another system, whose engine is under test. */
const OTHER_ROOT = process.env.SANDBOX_TEST_ENGINE_ROOT;
const FILLED_AT_A_TIME = Buffer.alloc(1 << 20);

export interface EngineOptions {
  /** The size of a disk of its own. By default, the engine uses the machine's disk. */
  readonly diskBytes?: number;
  /** Containers outlive the engine's restart (live-restore). */
  readonly keepsContainers?: boolean;
  /** The users of containers are others on the host (userns-remap). */
  readonly remapsUsers?: boolean;
}

/**
 * A Docker engine of the test's own, beside the machine's, so that the test can kill, stop and
 * restart it.
 */
export class TestEngine {
  /** The engine needs root and Linux. */
  static readonly possible = process.platform === 'linux' && process.getuid?.() === 0;

  /** Another system's root directory has no ids to give to the engine's users. */
  static readonly canRemapUsers = TestEngine.possible && OTHER_ROOT === undefined;

  readonly docker: Docker;
  private child!: Child;
  /** Holds the mount namespace of another system's root directory, over restarts of the engine. */
  private root: Child | null = null;

  private constructor(
    private readonly directory: string,
    private readonly options: EngineOptions,
  ) {
    this.docker = new Docker({ socketPath: this.socket });
  }

  static async start(options: EngineOptions = {}): Promise<TestEngine> {
    const directory = mkdtempSync(join(tmpdir(), 'sandbox-engine-'));
    // The remapped root has to reach the engine's data.
    if (options.remapsUsers) chmodSync(directory, 0o711);
    const engine = new TestEngine(directory, options);
    const { diskBytes } = options;
    if (diskBytes !== undefined) {
      mkdirSync(engine.data);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'sandbox-engine', engine.data]);
    }
    await engine.up();
    const image = await docker.getImage(TEST_IMAGE).get();
    const loading = await engine.docker.loadImage(image);
    await new Promise((resolve, reject) =>
      engine.docker.modem.followProgress(loading, (error) => (error ? reject(error) : resolve(undefined))),
    );
    return engine;
  }

  private get data(): string {
    return join(this.directory, 'data');
  }

  /** If its containers live on, the next engine has to see its mounts, so that execs start. */
  private get sharesMounts(): boolean {
    return this.options.keepsContainers === true;
  }

  private get filler(): string {
    return join(this.data, 'filler');
  }

  /** Leaves no byte free on the engine's own disk, until `emptyDisk`. */
  fillDisk(): void {
    const file = openSync(this.filler, 'w');
    try {
      for (;;) writeSync(file, FILLED_AT_A_TIME);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  emptyDisk(): void {
    rmSync(this.filler, { force: true });
  }

  get socket(): string {
    return join(this.directory, 'docker.sock');
  }

  get host(): string {
    return `unix://${this.socket}`;
  }

  async up(): Promise<void> {
    const at = (name: string): string => join(this.directory, name);
    // A network namespace of its own, because --bridge=none would otherwise delete the other
    // engine's bridge. A mount namespace too, so that the mounts of a killed engine end with it.
    const args = [
      '-n',
      ...(this.sharesMounts ? [] : ['-m']),
      ...this.dockerd(),
      '--data-root',
      this.data,
      '--exec-root',
      at('exec'),
      '--pidfile',
      at('pid'),
      '-H',
      this.host,
    ];
    if (this.options.keepsContainers) args.push('--live-restore');
    if (this.options.remapsUsers) args.push('--userns-remap=nobody:nogroup');
    args.push('--bridge=none', '--iptables=false', '--ip6tables=false', '--shutdown-timeout', '2');
    // Logs to a file, and has a session of its own, as a service manager does it. So what a killed
    // engine leaves lives on undisturbed.
    const log = openSync(at('log'), 'a');
    const [program, ...parameters] = [...(await this.enterRoot()), 'unshare', ...args];
    this.child = new Child(spawn(program!, parameters, { stdio: ['ignore', log, log], detached: true }));
    closeSync(log);
    // A killed engine left containers running, and ends them before it answers.
    await eventually('the engine answers', () => this.docker.ping(), 60).catch((error: Error) => {
      throw new Error(`${error.message}\n${readFileSync(at('log'), 'utf8').slice(-2000)}`);
    });
  }

  /** @returns how a program gets into another system's root directory, if its mounts are shared */
  private async enterRoot(): Promise<string[]> {
    if (OTHER_ROOT === undefined || !this.sharesMounts) return [];
    if (this.root === null) {
      const entered = join(this.directory, 'entered');
      const script = ['sh', IN_ROOT, OTHER_ROOT, this.directory, 'sh', '-c', 'touch "$0" && exec tail -f /dev/null', entered];
      this.root = new Child(spawn('unshare', ['-m', ...script], { stdio: 'ignore' }));
      await eventually('the root directory is entered', async () => existsSync(entered));
    }
    return ['nsenter', '--mount', '--target', String(this.root.pid)];
  }

  /** @returns the engine under test: this machine's, or that of another system's root directory */
  private dockerd(): string[] {
    if (OTHER_ROOT !== undefined) return this.sharesMounts ? ['dockerd'] : ['sh', IN_ROOT, OTHER_ROOT, this.directory, 'dockerd'];
    if (!this.options.remapsUsers) return ['dockerd'];
    const ids = join(this.directory, 'ids');
    writeFileSync(ids, 'nobody:1000000:65536\nnogroup:1000000:65536\n');
    return ['sh', '-c', 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec dockerd "$@"', ids];
  }

  signal(signal: NodeJS.Signals): void {
    // unshare(1) and the shell script both replace themselves by dockerd, so the child is dockerd.
    this.child.process.kill(signal);
  }

  /**
   * Sends SIGSTOP and waits until no thread of the engine runs. `signal('SIGCONT')` lets it
   * continue.
   */
  async halt(): Promise<void> {
    this.signal('SIGSTOP');
    const tasks = `/proc/${this.child.pid}/task`;
    const isStopped = (task: string): boolean => /\) T /.test(readFileSync(`${tasks}/${task}/stat`, 'latin1'));
    await eventually('the engine is stopped', async () => readdirSync(tasks).every(isStopped));
  }

  async down(signal: NodeJS.Signals): Promise<void> {
    await this.child.stop(signal);
    // The engine's containerd dies with it. If nobody reaps it at once, the next engine would take
    // its process id for that of a living one.
    rmSync(join(this.directory, 'exec/containerd/containerd.pid'), { force: true });
  }

  async stop(): Promise<void> {
    for (const { Id } of await this.docker.listContainers({ all: true })) await this.docker.getContainer(Id).remove({ force: true });
    await this.down('SIGTERM');
    // The engine has mounted its directory onto itself.
    const isMountedHere = (this.sharesMounts && this.root === null) || this.options.diskBytes !== undefined;
    if (isMountedHere) execFileSync('umount', [this.data]);
    await this.root?.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}
