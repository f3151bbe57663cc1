import { fstatSync } from 'node:fs';
import { type CommandExit, type CommandStart, type Job, type JobInfo, type Sandbox, SandboxError } from '@sandbox/client';
import { note, OUTPUT, printJson, write } from '../printing';
import { interruption } from '../interruption';

export interface ExecOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Seconds. */
  timeout?: number;
  json?: boolean;
}

/** What exit status a shell gives a program that Ctrl-C ended. */
const INTERRUPTED = 130;
const RETRY_MS = 200;
const PIECE_BYTES = 256 * 1024;

/**
 * Runs a command in the sandbox, with the output as it comes. A pipe or a file as standard input is
 * the command's, too.
 * @returns the command's exit status
 */
export async function exec(sandbox: Sandbox, command: string, { cwd, env, timeout, json = false }: ExecOptions): Promise<number> {
  const options = {
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { envs: env }),
    ...(timeout !== undefined && { timeoutMs: timeout * 1_000 }),
  };
  if (hasInput()) return runWithInput(sandbox, command, { ...options, json });
  const { signal, interrupted } = interruption();
  try {
    if (json) {
      const result = await sandbox.commands.run(command, { ...options, signal });
      await printJson(result);
      return result.exitCode;
    }
    let exit: CommandExit | undefined;
    for await (const event of sandbox.commands.stream(command, { ...options, signal, format: 'bytes' })) {
      if (event.type === 'start') sayOfStart(event);
      else if (event.type === 'exit') exit = event;
      else await write(OUTPUT[event.type], event.data);
    }
    return end(exit!);
  } catch (error) {
    if (interrupted()) return INTERRUPTED;
    throw error;
  }
}

/** A job can be given input while it runs. */
async function runWithInput(sandbox: Sandbox, command: string, { json, ...options }: object & { json: boolean }): Promise<number> {
  const job = await sandbox.jobs.start(command, { ...options, openStdin: true });
  const { signal, interrupted } = interruption();
  const ended = new AbortController();
  try {
    const text = { stdout: '', stderr: '' };
    const input = sendInput(job, AbortSignal.any([signal, ended.signal]));
    let info: JobInfo | undefined;
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    for await (const event of job.follow({ signal, format: 'bytes' })) {
      if (event.type === 'end') info = event;
      else if (event.type === 'gap') note(`${event.bytes} bytes of ${event.stream} were lost: they came faster than they were read`);
      else if (json) text[event.type] += decoders[event.type].decode(event.data, { stream: true });
      else await write(OUTPUT[event.type], event.data);
    }
    ended.abort();
    process.stdin.destroy();
    await input;
    if (!json) return end({ ...info!, exitCode: info!.exitCode ?? 1, timedOut: info!.state === 'timed_out' });
    await printJson({ ...info!, ...text });
    return info!.exitCode ?? 1;
  } catch (error) {
    if (interrupted()) return INTERRUPTED;
    throw error;
  } finally {
    await job.kill().catch(() => undefined);
  }
}

/** The program may end, or close its input, before all is sent. */
async function sendInput(job: Job, signal: AbortSignal): Promise<void> {
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>)
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) await sendPiece(job, chunk.subarray(at, at + PIECE_BYTES), signal);
    await job.closeStdin({ signal });
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof SandboxError && /^JOB_(ENDED|STDIN_CLOSED|LOST|NOT_FOUND)$/.test(error.code ?? '')) return;
    if ((error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    throw error;
  }
}

async function sendPiece(job: Job, piece: Buffer, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await job.write(piece, { signal });
    } catch (error) {
      if (!(error instanceof SandboxError) || error.code !== 'JOB_STDIN_FULL') throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      signal.throwIfAborted();
    }
  }
}

function hasInput(): boolean {
  try {
    const status = fstatSync(0);
    return status.isFIFO() || status.isFile() || status.isSocket();
  } catch {
    return false; // it is closed
  }
}

function sayOfStart({ sessionRestarted }: CommandStart): void {
  if (sessionRestarted) note('the sandbox had ended and was made anew; its files are gone, unless it is persistent or has a disk');
}

/** Says what an exit status does not. @returns the exit status */
function end(exit: Pick<CommandExit, 'exitCode' | 'timedOut' | 'oomKilled' | 'diskLimit' | 'networkDenied'>): number {
  if (exit.timedOut) note('the command ran out of time and was killed; --timeout gives it more');
  if (exit.oomKilled) note('a program was killed for memory; `sandbox new --memory` makes a sandbox with more');
  if (exit.diskLimit) note('the disk of the sandbox reached its limit');
  for (const { host, port, rule } of exit.networkDenied ?? [])
    note(
      `${host}${port === null ? '' : `:${port}`} could not be reached${rule ? `; \`sandbox network allow ${rule}\` would allow it` : ''}`,
    );
  return exit.exitCode;
}
