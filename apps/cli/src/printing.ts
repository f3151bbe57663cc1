import { once } from 'node:events';

/** The two streams of output, by name. */
export const OUTPUT = { stdout: process.stdout, stderr: process.stderr } as const;

/** Writes to a stream, and waits while it takes no more. */
export async function write(stream: NodeJS.WritableStream, data: string | Uint8Array): Promise<void> {
  if (!stream.write(data)) await once(stream, 'drain');
}

export async function printLine(text: string): Promise<void> {
  await write(process.stdout, `${text}\n`);
}

/** Prints a value as JSON, for programs. */
export async function printJson(value: unknown): Promise<void> {
  await printLine(JSON.stringify(value, null, process.stdout.isTTY ? 2 : 0));
}

/** Prints rows in columns, for people. */
export async function printTable(head: readonly string[], rows: readonly (readonly string[])[]): Promise<void> {
  const lines = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  for (const line of lines)
    await printLine(line.map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column]! + 2))).join(''));
}

/** Says something beside the output. */
export function note(text: string): void {
  process.stderr.write(`sandbox: ${printable(text)}\n`);
}

/** What comes out of a sandbox could otherwise move the cursor, or rename the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => (character === '\t' ? ' ' : '\ufffd'));
}
