import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Lies in the one directory that is writable if the root file system is not. It holds the time, in
 * milliseconds since the epoch, until which the heartbeat counts.
 */
const FILE = join(tmpdir(), 'cleanup-heartbeat');

/**
 * Notes that the worker is well until `validUntil`. A reader sees the old heartbeat or the new one,
 * never a part of it.
 */
export async function beat(validUntil: number): Promise<void> {
  await writeFile(`${FILE}.new`, String(validUntil));
  await rename(`${FILE}.new`, FILE);
}

export async function isBeating(now = Date.now()): Promise<boolean> {
  const validUntil = await readFile(FILE, 'utf8').catch(() => '');
  return Number(validUntil) > now;
}
