import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { type Job, JobsService, type TerminalName, TerminalsService, type TerminalSize } from '@sandbox/orchestrator';
import { ShellCommandDto } from '../../execute/shell-command.dto';
import { validateDto } from '../../validation/validate-dto';
import { endOfJob, type FollowedProcess } from './process-events';
import { newProcess, pidOfJob, type ProcessId } from './process-ids';
import { writePatiently } from './patient-input';
import type { SandboxCall } from './sandbox-call';
import { ownPath } from './sandbox-paths';
import { isInteractiveShell, shellText } from './shell-text';

/** A process to start. */
export interface NewProcess {
  readonly cmd: string;
  readonly args?: string[];
  readonly envs?: Record<string, string>;
  readonly cwd?: string;
}

/** A process that runs, as E2B's `List` shows it. Its variables are nobody's to see. */
export interface ListedProcess {
  readonly pid: number;
  readonly config: { readonly cmd: string; readonly args: readonly string[] };
}

const START = { stdout: 0, stderr: 0 };

/**
 * E2B's processes: commands are jobs, and those with a terminal are terminals. So they outlive the
 * call that starts them, and any replica can reach them.
 */
@Injectable()
export class Processes {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly jobs: JobsService,
    private readonly terminals: TerminalsService,
  ) {}

  /**
   * Starts a command.
   * @param takesInput whether its input stays open for more
   * @param timeoutMs after so long it is killed; JOB_MAX_SECONDS if undefined, and at most
   */
  async startCommand(
    { user, sessionId }: SandboxCall,
    given: NewProcess,
    takesInput: boolean,
    timeoutMs: number | undefined,
    signal: AbortSignal,
  ): Promise<FollowedProcess> {
    const { pid, id } = newProcess('job');
    const command = shellCommand(given);
    const timeout = Math.max(1, this.lifeMs(timeoutMs) / 1000);
    await this.jobs.startJob(user, sessionId, { ...command, open_stdin: takesInput, timeout }, signal, id);
    return this.followedJob({ user, sessionId }, pid, id, START);
  }

  /**
   * Starts a command in a terminal.
   * @param timeoutMs as for `startCommand`
   */
  async startTerminal(
    { user, sessionId }: SandboxCall,
    given: NewProcess,
    size: TerminalSize,
    timeoutMs: number | undefined,
    signal: AbortSignal,
  ): Promise<FollowedProcess> {
    const { pid, id } = newProcess('terminal');
    const { command, ...options } = shellCommand(given);
    const lifeMs = this.lifeMs(timeoutMs);
    const text = isInteractiveShell(given) ? undefined : command;
    await this.terminals.openTerminal(user, sessionId, text, size, signal, { ...options, terminal: id, lifeMs, detachedMs: lifeMs });
    return this.followedTerminal({ user, sessionId, terminal: id }, pid, 0);
  }

  /**
   * Finds a process whose output is to be followed from now on.
   * @throws SandboxError JOB_NOT_FOUND
   */
  async findProcess(call: SandboxCall, { pid, kind, id }: ProcessId, signal: AbortSignal): Promise<FollowedProcess> {
    if (kind === 'terminal') {
      const name = terminalName(call, id);
      return this.followedTerminal(name, pid, await this.terminals.written(name));
    }
    const { stdout_bytes, stderr_bytes } = await this.jobs.getJob(call.user, call.sessionId, id, signal);
    return this.followedJob(call, pid, id, { stdout: stdout_bytes ?? 0, stderr: stderr_bytes ?? 0 });
  }

  /** Lists the commands that were started here and run. Terminals are not among them. */
  async listProcesses({ user, sessionId }: SandboxCall, signal: AbortSignal): Promise<ListedProcess[]> {
    const jobs = await this.jobs.listJobs(user, sessionId, signal);
    return jobs.filter(({ state }) => state === 'running').flatMap(listed);
  }

  /** @throws SandboxError JOB_NOT_FOUND, NOT_FOUND, JOB_ENDED, JOB_STDIN_* */
  async writeInput(call: SandboxCall, { kind, id }: ProcessId, input: Buffer, signal: AbortSignal): Promise<void> {
    const write = (piece: Buffer): Promise<void> =>
      kind === 'terminal'
        ? this.terminals.writeInput(terminalName(call, id), piece, signal)
        : this.jobs.writeInput(call.user, call.sessionId, id, piece, false, signal);
    await writePatiently(input, write, signal);
  }

  /** @throws SandboxError as `writeInput`; BAD_REQUEST for a terminal */
  async closeInput({ user, sessionId }: SandboxCall, { kind, id }: ProcessId, signal: AbortSignal): Promise<void> {
    if (kind === 'terminal') throw new SandboxError(ErrorCode.BAD_REQUEST, 'The input of a terminal is not closed. Send Ctrl-D (0x04).');
    await this.jobs.writeInput(user, sessionId, id, Buffer.alloc(0), true, signal);
  }

  /** @throws SandboxError JOB_NOT_FOUND, NOT_FOUND, JOB_ENDED */
  async sendSignal(call: SandboxCall, { kind, id }: ProcessId, name: 'SIGTERM' | 'SIGKILL', signal: AbortSignal): Promise<void> {
    if (kind === 'terminal') await this.terminals.sendSignal(terminalName(call, id), name, signal);
    else await this.jobs.sendSignal(call.user, call.sessionId, id, name, signal);
  }

  /** @throws SandboxError NOT_FOUND, JOB_ENDED; BAD_REQUEST for what is no terminal */
  async resize(call: SandboxCall, { kind, id }: ProcessId, size: TerminalSize, signal: AbortSignal): Promise<void> {
    if (kind !== 'terminal') throw new SandboxError(ErrorCode.BAD_REQUEST, 'The process has no terminal.');
    await this.terminals.resizeTerminal(terminalName(call, id), size, signal);
  }

  private followedJob({ user, sessionId }: SandboxCall, pid: number, id: string, from: typeof START): FollowedProcess {
    const reader = { from, streams: ['stdout', 'stderr'], encoding: 'base64' } as const;
    return {
      pid,
      follow: async (take, signal) => {
        const watcher = { output: take, gap: (_stream: string, bytes: number) => Promise.reject(outputLost(bytes)) };
        return endOfJob(await this.jobs.followOutput(user, sessionId, id, reader, watcher, signal));
      },
    };
  }

  private followedTerminal(name: TerminalName, pid: number, since: number): FollowedProcess {
    return {
      pid,
      follow: async (take, signal) => {
        const output = async (bytes: Buffer): Promise<void> => take('pty', bytes.toString('base64'));
        // What has left the screen is no loss.
        const exitCode = await this.terminals.followOutput(name, since, { output, gap: async () => undefined }, signal);
        return { exitCode: exitCode ?? 0, signal: null };
      },
    };
  }

  private lifeMs(timeoutMs = Infinity): number {
    return Math.min(timeoutMs, this.config.JOB_MAX_SECONDS * 1000);
  }
}

function listed({ job_id, command }: Job): ListedProcess[] {
  const pid = pidOfJob(job_id);
  return pid === null ? [] : [{ pid, config: { cmd: '/bin/bash', args: ['-l', '-c', command] } }];
}

function terminalName({ user, sessionId }: SandboxCall, terminal: string): TerminalName {
  return { user, sessionId, terminal };
}

/** @throws SandboxError VALIDATION_FAILED */
function shellCommand({ cwd, envs, ...program }: NewProcess): ShellCommandDto {
  return validateDto(ShellCommandDto, {
    command: shellText(program),
    ...(cwd !== undefined && { working_dir: ownPath(cwd) }),
    ...(envs !== undefined && { env: envs }),
  });
}

function outputLost(bytes: number): SandboxError {
  return new SandboxError(ErrorCode.RANGE_NOT_SATISFIABLE, `The process wrote faster than its output was read: ${bytes} bytes are lost.`);
}
