import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The one place that is writable where the root file system is not. Holds the time, ms since the epoch, until which it counts. */
const FILE = join(tmpdir(), 'cleanup-heartbeat');

/** Says that the worker is well until `validUntil`. A reader sees the old heartbeat or the new one, never a part. */
export async function beat(validUntil: number): Promise<void> {
  await writeFile(`${FILE}.new`, String(validUntil));
  await rename(`${FILE}.new`, FILE);
}

export async function isBeating(now = Date.now()): Promise<boolean> {
  const validUntil = await readFile(FILE, 'utf8').catch(() => '');
  return Number(validUntil) > now;
}
