import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import {
  SESSION_STORE,
  sessionRef,
  type SessionOptions,
  type SessionRecord,
  type SessionRef,
  type SessionSettings,
  type SessionStore,
  type User,
} from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import { RequestNotSentError, type AgentRequest, type CallOptions } from '../channel/channel';
import { execEnd, type ExecEnd } from './exec-end';
import { executeExit, executeStart, type ExecuteExit, type ExecuteResult, type ExecuteStart } from './execute-answer';
import { OutputCapture } from './output-capture';
import { OutputText } from './output-text';
import { COMMAND_POLICY, type CommandPolicy } from '@sandbox/command-policy';
import { checkSessionOptions, differences, sandboxShape, type SandboxShape } from '../options/session-options';
import type { Lease } from '../entering/session-connections';
import { SessionSandboxes } from '../entering/session-sandboxes';
import { shortId } from './short-id';
import { shellRequest, timeoutMs, withSessionEnv, type ShellCommand } from './shell-command';

/** A command to run. Field names are those of POST /execute and of the MCP tool. */
export interface ExecuteCommand extends ShellCommand {
  session_id: string;
  /** Seconds. */
  timeout?: number;
  stdin?: string;
  /** Of stdout and stderr in the result. */
  encoding?: 'utf8' | 'base64';
}

/** Watches a command while it runs. */
export interface ExecuteWatcher {
  /** Before any output. */
  started(start: ExecuteStart): void;
  /** Output as it is produced, in the command's `encoding`. While a promise is pending the command waits with its next output. */
  output(stream: 'stdout' | 'stderr', data: string): void | Promise<void>;
}

export interface CreatedSession {
  session_id: string;
  container_id: string;
  /** It was not there. */
  session_created: boolean;
}

export interface SessionInfo extends SandboxShape {
  session_id: string;
  container_id: string;
  /** ISO 8601, UTC; as are all times. */
  created_at: string;
  last_used_at: string;
  expires_at: string;
  ttl_seconds: number;
  metadata: Record<string, string>;
}

/** Told if a timeout is over the maximum. Field names are those of MCP and REST. */
const LONGER_WORK = 'for longer work use background: true (over REST a job, POST …/jobs)';
/** Beyond a command's own timeout, which the agent keeps, milliseconds. */
const EXEC_GRACE_MS = 5_000;

@Injectable()
export class OrchestratorService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(COMMAND_POLICY) private readonly policy: CommandPolicy,
    private readonly sandboxes: SessionSandboxes,
  ) {}

  /**
   * Runs a command in the user's session, made on first use. A command that fails or runs out of time is a result, not an error.
   * @param signal aborting ends the command and all it started
   * @param onOutput is told of output while the command runs, of what comes before the cut; the command does not wait for it
   * @throws SandboxError COMMAND_NOT_ALLOWED, VALIDATION_FAILED (timeout), INVALID_WORKING_DIR, SHELL_NOT_AVAILABLE, SESSION_DELETED,
   * TOO_MANY_COMMANDS, SANDBOX_*, RUNTIME_UNAVAILABLE, STORE_UNAVAILABLE
   */
  async execute(user: User, command: ExecuteCommand, signal?: AbortSignal, onOutput?: (text: string) => void): Promise<ExecuteResult> {
    const ref = this.ref(user, command.session_id);
    return audited(
      user,
      ref,
      { op: 'execute', command: command.command },
      async () => {
        const request = this.agentRequest(command);
        const maxMs = request.timeout_ms + EXEC_GRACE_MS;
        return this.sandboxes.enter(ref, maxMs, (lease) => this.run(lease, request, command, signal, onOutput), {
          command: true,
          signal,
        });
      },
      ({ exit_code, timed_out }) => ({ exit_code, timed_out }),
    );
  }

  /**
   * As `execute`, but gives the output while the command runs, all of it: it is not cut, and a watcher that is slow makes the command wait
   * (and nobody else). The timeout counts on meanwhile.
   * @throws SandboxError as execute; REQUEST_TIMEOUT where the watcher has not taken the output 5 s past the timeout
   */
  async stream(user: User, command: ExecuteCommand, watcher: ExecuteWatcher, signal?: AbortSignal): Promise<ExecuteExit> {
    const ref = this.ref(user, command.session_id);
    return audited(
      user,
      ref,
      { op: 'execute', command: command.command },
      async () => {
        const request = { ...this.agentRequest(command), max_output: null };
        const maxMs = request.timeout_ms + EXEC_GRACE_MS;
        return this.sandboxes.enter(ref, maxMs, (lease) => this.watch(lease, request, command, watcher, signal), {
          command: true,
          signal,
        });
      },
      ({ exit_code, timed_out }) => ({ exit_code, timed_out }),
    );
  }

  /**
   * Makes the session where it is not there. Idempotent.
   * @throws SandboxError VALIDATION_FAILED where the operator does not allow an option; SESSION_OPTIONS_DIFFER where the session is there, and
   * not as an option that is given says
   */
  async createSession(user: User, sessionId: string, options: SessionOptions = {}, signal?: AbortSignal): Promise<CreatedSession> {
    const ref = this.ref(user, sessionId);
    const make = async (lease: Lease): Promise<CreatedSession> => {
      const { ttlMs, metadata } = lease.record;
      const errors = differences(this.config, options, { ...lease.options, ttl_seconds: ttlMs / 1000, metadata });
      if (errors.length > 0) {
        throw new SandboxError(ErrorCode.SESSION_OPTIONS_DIFFER, 'The session is there, with other options.', { errors });
      }
      return { session_id: sessionId, container_id: shortId(lease.containerId), session_created: lease.created };
    };
    return audited(user, ref, { op: 'create_session' }, async () => {
      checkSessionOptions(this.config, this.policy, options);
      return this.sandboxes.enter(ref, 0, make, { options, signal });
    });
  }

  /**
   * Changes how long a live session lives unused, or the notes about it. Counts as a use of it.
   * @throws SandboxError SESSION_NOT_FOUND, VALIDATION_FAILED
   */
  async updateSession(user: User, sessionId: string, settings: SessionSettings): Promise<SessionInfo> {
    const ref = this.ref(user, sessionId);
    return audited(user, ref, { op: 'update_session' }, async () => {
      checkSessionOptions(this.config, this.policy, settings);
      return this.info(await this.store.update(ref.key, settings, this.store.now()));
    });
  }

  /** The user's live sessions, oldest first; those alone whose metadata has all these pairs. Does not prolong them. */
  async listSessions(user: User, metadata: readonly (readonly [string, string])[] = []): Promise<SessionInfo[]> {
    const records = await this.store.list(this.ref(user, '').userKey, this.store.now());
    const matches = (record: SessionRecord): boolean => metadata.every(([name, value]) => record.metadata[name] === value);
    return records
      .filter(hasSandbox)
      .filter(matches)
      .map((record) => this.info(record));
  }

  /** Does not prolong the session. @throws SandboxError SESSION_NOT_FOUND */
  async getSession(user: User, sessionId: string): Promise<SessionInfo> {
    return this.info(await this.store.get(this.ref(user, sessionId).key, this.store.now()));
  }

  /** Container and volume are gone when it resolves; calls under way in it end with SESSION_DELETED. Idempotent. */
  async deleteSession(user: User, sessionId: string): Promise<{ status: 'deleted'; session_id: string }> {
    const ref = this.ref(user, sessionId);
    await audited(user, ref, { op: 'delete_session' }, () => this.sandboxes.remove(ref));
    return { status: 'deleted', session_id: sessionId };
  }

  /** @throws SandboxError SESSION_NOT_FOUND */
  private info(record: SessionRecord | null): SessionInfo {
    if (!record || !hasSandbox(record)) throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
    return {
      session_id: record.ref.sessionId,
      container_id: shortId(record.containerId),
      created_at: new Date(record.createdAt).toISOString(),
      last_used_at: new Date(record.lastUsedAt).toISOString(),
      expires_at: new Date(record.expiresAt).toISOString(),
      ...sandboxShape(this.config, record.options ?? {}),
      image: record.image,
      ttl_seconds: record.ttlMs / 1000,
      metadata: record.metadata,
    };
  }

  private ref(user: User, sessionId: string): SessionRef {
    return sessionRef(this.config.DEPLOYMENT, user, sessionId);
  }

  private agentRequest(command: ExecuteCommand): ExecRequest {
    const { DEFAULT_EXEC_TIMEOUT_SECONDS, MAX_EXEC_TIMEOUT_SECONDS, EXEC_MAX_OUTPUT_BYTES, EXEC_SHELL } = this.config;
    return {
      op: 'exec',
      timeout_ms: timeoutMs(command.timeout ?? DEFAULT_EXEC_TIMEOUT_SECONDS, MAX_EXEC_TIMEOUT_SECONDS, LONGER_WORK),
      ...shellRequest(command, this.policy, EXEC_SHELL),
      max_output: EXEC_MAX_OUTPUT_BYTES,
      stdin: command.stdin !== undefined,
    };
  }

  private async run(
    lease: Lease,
    request: ExecRequest,
    command: ExecuteCommand,
    signal?: AbortSignal,
    tell?: (text: string) => void,
  ): Promise<ExecuteResult> {
    const { EXEC_MAX_OUTPUT_BYTES } = this.config;
    const output = { stdout: new OutputCapture(EXEC_MAX_OUTPUT_BYTES), stderr: new OutputCapture(EXEC_MAX_OUTPUT_BYTES) };
    const texts = tell && { stdout: new OutputText('utf8'), stderr: new OutputText('utf8') };
    const onOutput: CallOptions['onOutput'] = (stream, chunk) => {
      const beginning = output[stream].add(chunk);
      if (texts) tell(texts[stream].add(beginning));
    };
    const { end, seconds } = await callExec(lease, request, command, onOutput, signal);
    const stdout = output.stdout.finish(end.omitted.stdout, command.encoding ?? 'utf8');
    const stderr = output.stderr.finish(end.omitted.stderr, command.encoding ?? 'utf8');
    return {
      stdout: stdout.text,
      stderr: stderr.text,
      ...executeExit(end, seconds, stdout.truncated || stderr.truncated, this.config, lease),
      ...(await executeStart(lease)),
    };
  }

  private async watch(
    lease: Lease,
    request: ExecRequest,
    command: ExecuteCommand,
    watcher: ExecuteWatcher,
    signal: AbortSignal | undefined,
  ): Promise<ExecuteExit> {
    // Told once: from here on the request goes out, and no other sandbox is tried.
    if (!lease.channel.open) throw new RequestNotSentError('The channel is closed.');
    watcher.started(await executeStart(lease));
    const texts = { stdout: new OutputText(command.encoding ?? 'utf8'), stderr: new OutputText(command.encoding ?? 'utf8') };
    const tell = (stream: 'stdout' | 'stderr', data: string): void | Promise<void> =>
      data === '' ? undefined : watcher.output(stream, data);
    const onOutput: CallOptions['onOutput'] = (stream, chunk) => tell(stream, texts[stream].add(chunk));
    const { end, seconds } = await callExec(lease, request, command, onOutput, signal);
    for (const stream of ['stdout', 'stderr'] as const) await tell(stream, texts[stream].end());
    const truncated = end.omitted.stdout + end.omitted.stderr > 0;
    return executeExit(end, seconds, truncated, this.config, lease);
  }
}

type ExecRequest = AgentRequest & { op: 'exec' };

async function callExec(
  { channel, options }: Lease,
  request: ExecRequest,
  { stdin }: ExecuteCommand,
  onOutput: CallOptions['onOutput'],
  signal: AbortSignal | undefined,
): Promise<{ end: ExecEnd; seconds: number }> {
  const started = performance.now();
  const end = await channel.call(withSessionEnv(request, options), {
    input: stdin === undefined ? undefined : Buffer.from(stdin),
    onOutput,
    signal,
    deadlineMs: request.timeout_ms + EXEC_GRACE_MS,
  });
  const seconds = (performance.now() - started) / 1000;
  return { end: execEnd(end), seconds };
}

/** A record whose first sandbox is still being made is no session to a reader yet. */
function hasSandbox(record: SessionRecord): record is SessionRecord & { containerId: string; image: string } {
  return record.containerId !== null && record.image !== null;
}
