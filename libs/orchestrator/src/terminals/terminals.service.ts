import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { sessionRef, type SessionRef, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import { isJobId, parseKeptJob } from '../keepers/job-answers';
import { HASTY_PAUSE_MS, KEEPER_CALL_MS, readKept } from '../keepers/keeper-calls';
import { COMMAND_POLICY, type CommandPolicy } from '@sandbox/command-policy';
import { SessionEntrance } from '../entering/session-entrance';
import { checkPolicy, parseShellCommand, withSessionEnv } from '../commands/shell-command';

export interface TerminalSize {
  cols: number;
  rows: number;
}

/** One who looks at a terminal. */
export interface TerminalWatcher {
  /** The next bytes of its output. While the promise is pending nothing more is read. */
  output(bytes: Buffer): Promise<void>;
  /** So many bytes were dropped before they were read. */
  gap(bytes: number): Promise<void>;
}

/** A terminal as its user's connection has it. */
export interface TerminalName {
  readonly user: User;
  readonly sessionId: string;
  readonly terminal: string;
}

/** How long a terminal lives that nobody looks at, milliseconds. */
const DETACHED_MS = 60_000;
/** What is kept of its output for one who comes back, bytes. */
const RING_BYTES = 256 * 1024;
const MAX_LIFE_MS = 24 * 3600 * 1000;
const READ_BYTES = 64 * 1024;
const WAIT_MS = 20_000;
/** Between two reads: a key's echo comes soon, and a flood in large pieces. Milliseconds. */
const PACE_MS = 5;
/** bash if the image has it. */
const BASH_OR_SH = 'if command -v bash >/dev/null; then exec bash; else exec sh; fi';

/**
 * Pseudo-terminals in sessions. Each has a keeper in the sandbox, as a job has, so a connection that is lost may come back through any
 * replica; one that nobody looks at for 60 s ends, with all that runs in it.
 *
 * Methods throw SandboxError NOT_FOUND where the terminal is not there, SESSION_DELETED, TOO_MANY_COMMANDS, SANDBOX_*, RUNTIME_UNAVAILABLE and
 * STORE_UNAVAILABLE.
 */
@Injectable()
export class TerminalsService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(COMMAND_POLICY) private readonly policy: CommandPolicy,
    private readonly entrance: SessionEntrance,
  ) {}

  /**
   * Starts a terminal: its id.
   * @param command what runs in it; by default bash if the image has it, else sh
   * @throws SandboxError COMMAND_NOT_ALLOWED besides
   */
  async open(
    user: User,
    sessionId: string,
    command: string | undefined,
    { cols, rows }: TerminalSize,
    signal?: AbortSignal,
  ): Promise<string> {
    const ref = this.ref({ user, sessionId });
    const terminal = randomBytes(16).toString('hex');
    const shown = command ?? this.interactiveShell();
    await audited(user, ref, { op: 'terminal', command: shown, job: terminal }, async () => {
      const request = {
        op: 'job_start',
        job_id: terminal,
        ...parseShellCommand({ command: shown }),
        shell: checkPolicy({ command: shown }, this.policy, this.config.EXEC_SHELL),
        timeout_ms: MAX_LIFE_MS,
        max_output: RING_BYTES,
        stdin: false,
        open_stdin: true,
        terminal: { columns: cols, rows, detached_ms: DETACHED_MS },
      } as const;
      await this.entrance.enterSession(ref, KEEPER_CALL_MS, ({ channel, options }) =>
        channel.call(withSessionEnv(request, options), { signal, deadlineMs: KEEPER_CALL_MS }),
      );
    });
    return terminal;
  }

  /** How many bytes it has written in all. */
  async written(name: TerminalName): Promise<number> {
    const { terminal, stdoutBytes } = await this.stat(name);
    if (!terminal) throw notThere();
    return stdoutBytes;
  }

  /** Gives output from `since` (bytes) on until the terminal has ended: its exit code. Keeps the session alive. */
  async follow(name: TerminalName, since: number, watcher: TerminalWatcher, signal: AbortSignal): Promise<number | null> {
    for (let offset = since; ;) {
      const { bytes, parts, hasty } = await this.enterTerminal(name, KEEPER_CALL_MS + WAIT_MS, (sandbox) =>
        readKept(sandbox, name.terminal, { stdout: offset }, READ_BYTES, WAIT_MS, signal),
      );
      const { nextOffset, gap, eof } = parts.stdout!;
      if (gap > 0) await watcher.gap(gap);
      if (bytes.stdout.length > 0) await watcher.output(bytes.stdout);
      if (signal.aborted) throw new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The client closed the connection.');
      if (eof) return (await this.stat(name)).exitCode;
      offset = nextOffset;
      await sleep(hasty ? HASTY_PAUSE_MS : PACE_MS);
    }
  }

  /** @throws SandboxError JOB_STDIN_FULL where what was sent before is still to be read, JOB_STDIN_CLOSED where it has ended */
  async write(name: TerminalName, input: Buffer, signal?: AbortSignal): Promise<void> {
    await this.enterTerminal(name, KEEPER_CALL_MS, ({ channel }) =>
      channel.call({ op: 'job_stdin', job_id: idOf(name), eof: false }, { input, signal, deadlineMs: KEEPER_CALL_MS }),
    );
  }

  /** @throws SandboxError JOB_ENDED */
  async resize(name: TerminalName, { cols, rows }: TerminalSize, signal?: AbortSignal): Promise<void> {
    const request = { op: 'job_resize', job_id: idOf(name), columns: cols, rows } as const;
    await this.enterTerminal(name, KEEPER_CALL_MS, ({ channel }) => channel.call(request, { signal, deadlineMs: KEEPER_CALL_MS }));
  }

  private async stat(name: TerminalName): Promise<ReturnType<typeof parseKeptJob>> {
    const request = { op: 'job_stat', job_id: idOf(name) } as const;
    return parseKeptJob(
      await this.enterTerminal(name, KEEPER_CALL_MS, ({ channel }) => channel.call(request, { deadlineMs: KEEPER_CALL_MS })),
    );
  }

  private async enterTerminal<T>(name: TerminalName, maxMs: number, work: Parameters<typeof this.entrance.enterSession<T>>[2]): Promise<T> {
    try {
      return await this.entrance.enterSession(this.ref(name), maxMs, work);
    } catch (error) {
      throw error instanceof SandboxError && error.code === ErrorCode.JOB_NOT_FOUND ? notThere() : error;
    }
  }

  /** What runs in a terminal whose opener names nothing: bash if it may, for history and Tab. */
  private interactiveShell(): string {
    const { EXEC_SHELL } = this.config;
    if (EXEC_SHELL !== 'auto') return EXEC_SHELL;
    return this.policy.mode === 'off' || this.policy.allowed.includes('bash') ? BASH_OR_SH : 'sh';
  }

  private ref({ user, sessionId }: Pick<TerminalName, 'user' | 'sessionId'>): SessionRef {
    return sessionRef(this.config.DEPLOYMENT, user, sessionId);
  }
}

function idOf({ terminal }: TerminalName): string {
  if (!isJobId(terminal)) throw notThere();
  return terminal;
}

function notThere(): SandboxError {
  return new SandboxError(ErrorCode.NOT_FOUND, 'There is no such terminal (any more).');
}
