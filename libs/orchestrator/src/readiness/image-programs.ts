import { GrowingBuffer } from '../bytes/growing-buffer';
import { unsound } from '../channel/agent-values';
import type { Channel } from '../channel/channel';

/** A shell lists some thousand files in a fraction of this. */
const LIST_TIMEOUT_MS = 10_000;
const LIST_DEADLINE_MS = 15_000;
const MAX_LIST_BYTES = 512 * 1024;
const MAX_PROGRAMS = 20_000;
/** What a caller can type without quotes. Other names are left out. */
const PLAIN_NAME = /^[\x21-\x7e]{1,255}$/;

/** Prints the names of the executable files on PATH. Any shell can run it. */
const LIST_PATH = `IFS=:
for directory in $PATH; do
  for file in "$directory"/*; do
    if [ -f "$file" ] && [ -x "$file" ]; then printf '%s\\n' "\${file##*/}"; fi
  done
done`;

/**
 * Lists the programs on PATH in a sandbox. In one that nobody has used, these are the image's.
 * @returns each name once, sorted
 * @throws SandboxError SANDBOX_LOST if the answer makes no sense; what a request throws
 */
export async function listImagePrograms(channel: Channel): Promise<string[]> {
  const bytes = new GrowingBuffer(MAX_LIST_BYTES);
  const onOutput = (_stream: unknown, chunk: Buffer): void => {
    if (bytes.length + chunk.length > MAX_LIST_BYTES) throw unsound();
    bytes.append(chunk);
  };
  const request = {
    op: 'exec',
    command: LIST_PATH,
    shell: 'sh',
    cwd: '/workspace',
    env: {},
    max_output: MAX_LIST_BYTES / 2,
    stdin: false,
  } as const;
  const { exit_code, omitted } = await channel.sendRequest(
    { ...request, timeout_ms: LIST_TIMEOUT_MS },
    { onOutput, deadlineMs: LIST_DEADLINE_MS },
  );
  const isWhole = (omitted as { stdout?: unknown } | null | undefined)?.stdout === 0;
  const names = bytes
    .takeBytes()
    .toString('utf8')
    .split('\n')
    .filter((name) => PLAIN_NAME.test(name));
  if (exit_code !== 0 || !isWhole || names.length > MAX_PROGRAMS) throw unsound();
  return [...new Set(names)].sort();
}
