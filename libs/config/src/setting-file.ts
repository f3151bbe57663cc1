import { readFileSync, statSync } from 'node:fs';

/**
 * Reads a file that a setting names.
 * @param encoding `latin1` keeps every byte
 * @throws Error that says what is wrong with the file. It repeats neither path nor content.
 */
export function readSettingFile(path: string, maxBytes: number, encoding: 'latin1' | 'utf8'): string {
  let size: number;
  try {
    const status = statSync(path);
    // A pipe would keep the process waiting.
    if (!status.isFile()) throw Object.assign(new Error(), { code: 'no regular file' });
    size = status.size;
    if (size <= maxBytes) return readFileSync(path, encoding);
  } catch (error) {
    throw new Error(`must name a file that can be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
  throw new Error(`must name a file of at most ${maxBytes} bytes`);
}
