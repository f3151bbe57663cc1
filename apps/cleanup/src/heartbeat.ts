import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * The file lies in the only directory that is writable if the root file system is not. It holds the
 * time until which the heartbeat counts, in milliseconds since the epoch.
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

/** Whether the worker is well. */
export async function isBeating(now = Date.now()): Promise<boolean> {
  const validUntil = await readFile(FILE, 'utf8').catch(() => '');
  return Number(validUntil) > now;
}
