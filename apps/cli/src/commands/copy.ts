import { createWriteStream, existsSync, statSync } from 'node:fs';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NotFoundError, type Sandbox } from '@sandbox/client';
import { interruption } from '../interruption';
import { remotePath, type RemotePath } from '../remote-path';
import { UsageError } from '../usage-error';
import { Progress } from '../progress';

/** What `cp` needs of the rest: the sandbox of a name. */
type Open = (session: string | undefined) => Sandbox;

/** Copies a file or a directory into a sandbox, or out of one, and into a directory that exists. */
export async function copy(from: string, to: string, open: Open): Promise<void> {
  const [source, target] = [remotePath(from), remotePath(to)];
  if (source && !target) return download(open(source.session), source, to);
  if (target && !source) return upload(from, open(target.session), target);
  throw new UsageError('One of the two has to be in a sandbox, written SESSION:PATH or :PATH, and the other a path of this machine.');
}

/** A tar has room for files of any size. It is unpacked as a whole or not at all. */
async function upload(from: string, { files }: Sandbox, { path }: RemotePath): Promise<void> {
  if (!existsSync(from)) throw new UsageError(`There is no ${from} here.`);
  const { signal } = interruption();
  const status = statSync(from);
  const goal = await goalOf(files, path, basename(resolve(from)));
  const { pack } = await import('tar-fs');
  const progress = new Progress(from, status.isDirectory() ? undefined : status.size);
  const archive = status.isDirectory()
    ? pack(from)
    : pack(dirname(from), {
        entries: [basename(from)],
        dereference: true,
        map: (header) => ({ ...header, name: posix.basename(goal) }),
      });
  const content = Readable.toWeb(archive.pipe(progress.counter())) as ReadableStream<Uint8Array>;
  await files.upload(content, status.isDirectory() ? goal : posix.dirname(goal), { signal });
  progress.stop();
}

async function download({ files }: Sandbox, { path }: RemotePath, to: string): Promise<void> {
  const { signal } = interruption();
  const info = await files.getInfo(path, { signal });
  const name = basename(info.path) || 'workspace';
  const goal = existsSync(to) && statSync(to).isDirectory() ? join(to, name) : to;
  if (info.type === 'dir') {
    const { extract } = await import('tar-fs');
    const progress = new Progress(name, undefined);
    const archive = Readable.fromWeb((await files.download(path, { signal })) as never);
    // The archive has names below the directory. tar-fs lets no entry, and no link, lead out of it.
    await pipeline(archive, progress.counter(), extract(goal, { dmode: 0o700, fmode: 0o600 }));
    progress.stop();
    return;
  }
  const progress = new Progress(name, info.size);
  const content = Readable.fromWeb((await files.read(path, { format: 'stream', signal })) as never);
  await pipeline(content, progress.counter(), createWriteStream(goal));
  progress.stop();
}

/** An existing directory takes in what is copied. */
async function goalOf(files: Sandbox['files'], path: string, name: string): Promise<string> {
  if (path === '') return name;
  try {
    return (await files.getInfo(path)).type === 'dir' ? posix.join(path, name) : path;
  } catch (error) {
    if (error instanceof NotFoundError) return path;
    throw error;
  }
}
