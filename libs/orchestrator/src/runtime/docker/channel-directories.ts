import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { Config } from '@sandbox/config';
import type { HostConfig } from 'dockerode';
import { type DirectListener, listenDirectly } from '../../channel/direct-listener';

/**
 * Where a sandbox finds its directory. The agent has the same constant (wire/direct_channel.py).
 */
const TARGET = '/run/sandbox';
const NAME = /^[0-9a-f]{12}$/;
/** Directories, notes, and notes that a killed process has not finished. */
const OURS = /^[0-9a-f]{12}(\.note(\.[0-9a-f]{12})?)?$/;
/** The end of the name of a note. */
const NOTE = '.note';
/**
 * What no container has is removed once it is this old. A younger directory may belong to a
 * container that is being made, and a younger socket to an agent that starts.
 */
const ABANDONED_MS = 60_000;

/**
 * One directory for each container, mounted into it read-only. In it the API listens for the
 * container's agent, so that frames do not pass through the engine. Only the API writes there: a
 * sandbox sees its own directory, and cannot change it.
 */
export class ChannelDirectories {
  private readonly logger = new Logger('ChannelDirectories');
  /**
   * The deployment's directory; null if CHANNEL_DIRECTORY is empty. A hash stands for the
   * deployment's name, because a socket's path has at most 107 bytes (unix(7)).
   */
  private readonly base: string | null;
  private isOff = false;
  private checked: Promise<boolean> | undefined;

  constructor({ CHANNEL_DIRECTORY, DEPLOYMENT }: Pick<Config, 'CHANNEL_DIRECTORY' | 'DEPLOYMENT'>) {
    const deployment = createHash('sha256').update(DEPLOYMENT).digest('hex').slice(0, 8);
    this.base = CHANNEL_DIRECTORY === '' ? null : join(CHANNEL_DIRECTORY, deployment);
  }

  /** Whether containers get a directory. */
  get areOn(): boolean {
    return this.base !== null && !this.isOff;
  }

  /**
   * Makes the directory of a container that is about to be made.
   * @returns its name; null if containers get none
   */
  async makeDirectory(): Promise<string | null> {
    const base = await this.usableBase();
    if (base === null) return null;
    const name = randomBytes(6).toString('hex');
    await mkdir(join(base, name));
    // The user of the sandbox has to reach the socket, whatever the umask.
    await chmod(join(base, name), 0o755);
    return name;
  }

  /** Returns the mount of the directory of that name. */
  mount(name: string): NonNullable<HostConfig['Mounts']>[number] {
    return { Type: 'bind', Source: join(this.base ?? '', name), Target: TARGET, ReadOnly: true, BindOptions: { Propagation: 'rprivate' } };
  }

  /**
   * Listens in a container's directory.
   * @param name what the container's label says
   * @returns null if there is no such directory, or it takes no socket
   */
  async listen(name: string | undefined): Promise<DirectListener | null> {
    const base = await this.usableBase();
    if (base === null || name === undefined || !NAME.test(name)) return null;
    const directory = join(base, name);
    try {
      const listener = await listenDirectly(directory);
      // A process that was killed has left its socket.
      void removeOld(directory, () => false).catch(() => undefined);
      return listener;
    } catch (error) {
      this.logger.debug({ msg: 'no direct channel', directory: name, error: (error as Error).message });
      return null;
    }
  }

  /**
   * Writes a note about a container beside its directory, where the container does not see it.
   * Without a directory nothing is written.
   */
  async writeNote(name: string | undefined, text: string): Promise<void> {
    const base = await this.safeBase();
    if (base === null || name === undefined || !NAME.test(name)) return;
    const path = join(base, `${name}${NOTE}`);
    const unfinished = `${path}.${randomBytes(6).toString('hex')}`;
    await writeFile(unfinished, text, { mode: 0o600, flag: 'wx' });
    await rename(unfinished, path);
  }

  /**
   * Reads the note of a container.
   * @returns '' if none was written; null if none can have been written
   */
  async readNote(name: string | undefined): Promise<string | null> {
    const base = await this.safeBase();
    if (base === null || name === undefined || !NAME.test(name)) return null;
    try {
      return await readFile(join(base, `${name}${NOTE}`), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  }

  async removeDirectory(name: string | undefined): Promise<void> {
    if (name === undefined || !NAME.test(name)) return;
    const base = await this.safeBase();
    if (base === null) return;
    for (const path of [join(base, name), join(base, `${name}${NOTE}`)])
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }

  /** Removes the directories that no container has. */
  async sweep(used: ReadonlySet<string | undefined>): Promise<void> {
    const base = await this.safeBase();
    if (base !== null) await removeOld(base, (name) => used.has(name.slice(0, 12)) || !OURS.test(name)).catch(() => undefined);
  }

  /** Whether the engine could not mount a directory, also if that has turned them off already. */
  isCauseOf(error: unknown): boolean {
    return this.base !== null && error instanceof Error && error.message.includes(this.base);
  }

  /** Makes no more directories. What runs by a direct channel goes on. */
  turnOff(reason: string): void {
    if (!this.areOn) return;
    this.isOff = true;
    this.logger.warn({ msg: 'CHANNEL_DIRECTORY cannot be used: frames pass through the engine', reason });
  }

  private async usableBase(): Promise<string | null> {
    const base = await this.safeBase();
    return this.areOn ? base : null;
  }

  private async safeBase(): Promise<string | null> {
    if (this.base === null) return null;
    return (await (this.checked ??= this.isSafe(this.base))) ? this.base : null;
  }

  /**
   * Another user who owned the directory, or could write in it, could take a sandbox's place, or
   * lead a removal elsewhere.
   */
  private async isSafe(base: string): Promise<boolean> {
    try {
      await mkdir(base, { recursive: true, mode: 0o700 });
      const status = await lstat(base);
      if (!status.isDirectory()) throw new Error('it is no directory');
      if (status.uid !== process.getuid?.()) throw new Error('it belongs to another user');
      if ((status.mode & 0o077) !== 0) throw new Error('other users can enter it');
      return true;
    } catch (error) {
      this.turnOff(`${base}: ${(error as Error).message}`);
      return false;
    }
  }
}

async function removeOld(directory: string, isKept: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(directory)) {
    if (isKept(name)) continue;
    const path = join(directory, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(path, { recursive: true, force: true });
  }
}
