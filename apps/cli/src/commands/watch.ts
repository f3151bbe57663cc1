import type { Sandbox, WatchEvent } from '@sandbox/client';
import { interruption } from '../interruption';
import { note, printable, printLine } from '../printing';

export interface WatchOptions {
  recursive?: boolean;
  json?: boolean;
}

/** Prints what changes in a directory, a line each, until Ctrl-C. */
export async function watch({ files }: Sandbox, path: string, { recursive = false, json = false }: WatchOptions): Promise<void> {
  const { signal, interrupted } = interruption();
  try {
    for await (const event of files.watch(path, { recursive, signal })) {
      if (json) await printLine(JSON.stringify(event));
      else if (event.type === 'ready') note(`watching ${path || '/workspace'}; Ctrl-C ends it`);
      else if (event.type === 'lost') note(`${event.path ?? 'some changes'} cannot be told: ${event.reason}`);
      else if (event.type === 'end') note(`the watch has ended: ${event.reason}`);
      else await printLine(printable(lineOf(event)));
    }
  } catch (error) {
    if (!interrupted()) throw error;
  }
}

function lineOf({ type, path, isDir, from }: Extract<WatchEvent, { isDir: boolean }>): string {
  const name = `${path}${isDir ? '/' : ''}`;
  return `${type.padEnd(6)} ${from === undefined ? name : `${from} -> ${name}`}`;
}
