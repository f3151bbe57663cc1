import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { sessionRef, type SessionRef, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import { isJobId, parseKeptJob } from '../keepers/job-answers';
import { HASTY_PAUSE_MS, KEEPER_CALL_MS, readKept } from '../keepers/keeper-calls';
import { COMMAND_POLICY, type CommandPolicy } from '@sandbox/command-policy';
import type { OpenSandbox } from '../entering/open-sandbox';
import { SessionEntrance } from '../entering/session-entrance';
import { afterOwnPrograms } from '../commands/own-programs';
import { checkPolicy, parseShellCommand, withSessionEnv } from '../commands/shell-command';

/** The size of a terminal in characters. */
export interface TerminalSize {
  cols: number;
  rows: number;
}

/** What a terminal may be started with, besides its command and size. */
export interface TerminalOptions {
  /** Its id: 32 hex digits that no terminal or job of the session has. */
  readonly terminal?: string;
  readonly working_dir?: string;
  readonly env?: Record<string, string>;
  /** How long it may live, in milliseconds. A day at most, and by default. */
  readonly lifeMs?: number;
  /** How long it lives while no client is connected to it, in milliseconds; by default a minute. */
  readonly detachedMs?: number;
}

/** Receives the output of a terminal. */
export interface TerminalWatcher {
  /** Takes the next bytes of output. While the promise is pending, nothing more is read. */
  output(bytes: Buffer): Promise<void>;
  /** Learns how many bytes were dropped before they were read. */
  gap(bytes: number): Promise<void>;
}

/** Identifies one terminal of one user. */
export interface TerminalName {
  readonly user: User;
  readonly sessionId: string;
  readonly terminal: string;
}

/** How long a terminal lives while no client is connected to it. */
const DETACHED_MS = 60_000;
/** How many bytes of output the keeper keeps for a client that comes back. */
const RING_BYTES = 256 * 1024;
const MAX_LIFE_MS = 24 * 3600 * 1000;
const READ_BYTES = 64 * 1024;
const WAIT_MS = 20_000;
/** The pause between two reads. A key's echo comes soon, and a flood of output in large pieces. */
const PACE_MS = 5;
/** Runs bash if the image has it. */
const BASH_OR_SH = 'if command -v bash >/dev/null; then exec bash; else exec sh; fi';

/**
 * Pseudo-terminals in sessions. Each one has a keeper in the sandbox, like a job. So a client whose
 * connection broke may come back through any replica. A terminal without a client for 60 s ends,
 * with everything that runs in it.
 *
 * Every method throws SandboxError SESSION_DELETED, TOO_MANY_COMMANDS, SANDBOX_*,
 * RUNTIME_UNAVAILABLE and STORE_UNAVAILABLE. Every method but `openTerminal` throws NOT_FOUND if
 * the terminal does not exist.
 */
@Injectable()
export class TerminalsService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(COMMAND_POLICY) private readonly policy: CommandPolicy,
    private readonly entrance: SessionEntrance,
  ) {}

  /**
   * Starts a terminal.
   * @param command what runs in it; by default bash if the image has it, else sh
   * @returns the terminal's id
   * @throws SandboxError COMMAND_NOT_ALLOWED, INVALID_WORKING_DIR, and those of every method
   */
  async openTerminal(
    user: User,
    sessionId: string,
    command: string | undefined,
    { cols, rows }: TerminalSize,
    signal?: AbortSignal,
    options: TerminalOptions = {},
  ): Promise<string> {
    const ref = this.ref({ user, sessionId });
    const { terminal = randomBytes(16).toString('hex'), working_dir, env, lifeMs = MAX_LIFE_MS, detachedMs = DETACHED_MS } = options;
    const shown = command ?? this.interactiveShell();
    await audited(user, ref, { op: 'terminal', command: shown, job: terminal }, async () => {
      const { shell, unlisted } = checkPolicy({ command: shown, env }, this.policy, this.config.EXEC_SHELL);
      const request = {
        op: 'job_start',
        job_id: terminal,
        ...parseShellCommand({ command: shown, working_dir, env }),
        shell,
        timeout_ms: Math.min(lifeMs, MAX_LIFE_MS),
        max_output: RING_BYTES,
        stdin: false,
        open_stdin: true,
        terminal: { columns: cols, rows, detached_ms: detachedMs },
      } as const;
      const start = (sandbox: OpenSandbox): Promise<unknown> =>
        sandbox.channel.sendRequest(withSessionEnv(request, sandbox.options), { signal, deadlineMs: KEEPER_CALL_MS });
      await this.entrance.enterSession(ref, KEEPER_CALL_MS, afterOwnPrograms(unlisted, signal, start));
    });
    return terminal;
  }

  /** @returns how many bytes the terminal has written in all */
  async written(name: TerminalName): Promise<number> {
    const { terminal, stdoutBytes } = await this.stat(name);
    if (!terminal) throw notThere();
    return stdoutBytes;
  }

  /**
   * Hands output to the watcher until the terminal has ended. This keeps the session alive.
   * @param since where to begin, in bytes from the start of the output
   * @returns the exit code; null if the sandbox says that the terminal still runs
   */
  async followOutput(name: TerminalName, since: number, watcher: TerminalWatcher, signal: AbortSignal): Promise<number | null> {
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

  /**
   * Sends input to the terminal.
   * @throws SandboxError JOB_STDIN_FULL if earlier input is still unread, JOB_STDIN_CLOSED if the
   *   terminal has ended
   */
  async writeInput(name: TerminalName, input: Buffer, signal?: AbortSignal): Promise<void> {
    await this.enterTerminal(name, KEEPER_CALL_MS, ({ channel }) =>
      channel.sendRequest({ op: 'job_stdin', job_id: idOf(name), eof: false }, { input, signal, deadlineMs: KEEPER_CALL_MS }),
    );
  }

  /**
   * Changes the terminal's size.
   * @throws SandboxError JOB_ENDED
   */
  async resizeTerminal(name: TerminalName, { cols, rows }: TerminalSize, signal?: AbortSignal): Promise<void> {
    const request = { op: 'job_resize', job_id: idOf(name), columns: cols, rows } as const;
    await this.enterTerminal(name, KEEPER_CALL_MS, ({ channel }) => channel.sendRequest(request, { signal, deadlineMs: KEEPER_CALL_MS }));
  }

  /**
   * Sends a signal to what runs in the terminal.
   * @throws SandboxError JOB_ENDED
   */
  async sendSignal(name: TerminalName, signal: 'SIGTERM' | 'SIGKILL', abort?: AbortSignal): Promise<void> {
    const ref = this.ref(name);
    const request = { op: 'job_signal', job_id: idOf(name), signal: constants.signals[signal] } as const;
    await audited(name.user, ref, { op: 'terminal_signal', job: name.terminal }, () =>
      this.enterTerminal(name, KEEPER_CALL_MS, ({ channel }) =>
        channel.sendRequest(request, { signal: abort, deadlineMs: KEEPER_CALL_MS }),
      ),
    );
  }

  private async stat(name: TerminalName): Promise<ReturnType<typeof parseKeptJob>> {
    const request = { op: 'job_stat', job_id: idOf(name) } as const;
    return parseKeptJob(
      await this.enterTerminal(name, KEEPER_CALL_MS, ({ channel }) => channel.sendRequest(request, { deadlineMs: KEEPER_CALL_MS })),
    );
  }

  private async enterTerminal<T>(name: TerminalName, maxMs: number, work: Parameters<typeof this.entrance.enterSession<T>>[2]): Promise<T> {
    try {
      return await this.entrance.enterSession(this.ref(name), maxMs, work);
    } catch (error) {
      throw error instanceof SandboxError && error.code === ErrorCode.JOB_NOT_FOUND ? notThere() : error;
    }
  }

  /**
   * @returns what runs in a terminal whose opener names no command. Bash if allowed, for its
   *   history and completion.
   */
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
