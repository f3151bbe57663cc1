import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ConflictError, NotFoundError, type Sandbox } from '@sandbox/client';
import { note, printable, printJson, printLine, write } from '../printing';
import { UsageError } from '../usage-error';

export interface ListOptions {
  json?: boolean;
  long?: boolean;
  depth?: number;
}

export async function list({ files }: Sandbox, path: string, { json, long, depth }: ListOptions): Promise<void> {
  const { entries, truncated } = await files.list(path, depth === undefined ? {} : { depth });
  if (json) return printJson(entries);
  for (const { name, type, size, modified } of entries) {
    const shown = `${printable(name)}${type === 'dir' ? '/' : ''}`;
    await printLine(long ? `${String(size).padStart(12)}  ${modified.slice(0, 16).replace('T', ' ')}  ${shown}` : shown);
  }
  if (truncated) note('there are more');
}

export async function cat({ files }: Sandbox, path: string): Promise<void> {
  for await (const chunk of (await files.read(path, { format: 'stream' })) as unknown as AsyncIterable<Uint8Array>)
    await write(process.stdout, chunk);
}

/** Opens a file in an editor. It is written only if nobody has changed it meanwhile. */
export async function edit({ files }: Sandbox, path: string, editor: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-edit-'));
  try {
    const file = join(directory, basename(path) || 'file');
    const before = await current(files, path);
    writeFileSync(file, before?.content ?? '');
    const { status, error } = spawnSync('sh', ['-c', `${editor} "$0"`, file], { stdio: 'inherit' });
    if (error || status !== 0) throw new UsageError(`The editor ${editor} failed, so nothing was written. EDITOR names another.`);
    const after = readFileSync(file);
    if (before !== undefined && after.equals(before.content)) return;
    await files.write(path, after, before === undefined ? { ifNoneMatch: '*' } : { ifMatch: before.etag }).catch((failure: unknown) => {
      if (!(failure instanceof ConflictError)) throw failure;
      const kept = join(tmpdir(), `${Date.now()}-${basename(path)}`);
      writeFileSync(kept, after, { mode: 0o600 });
      throw new UsageError(`Somebody else has changed ${path} meanwhile. Your version is in ${kept}.`);
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function current(files: Sandbox['files'], path: string): Promise<{ content: Buffer; etag: string } | undefined> {
  try {
    const { etag } = await files.getInfo(path);
    return { content: Buffer.from(await files.read(path, { format: 'bytes' })), etag };
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
