import { posix } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { SESSION_STORE, sessionRef, type SessionRecord, type SessionRef, type SessionStore, type User } from '@sandbox/sessions';
import { audited } from './audit-log';
import type { AgentRequest } from './channel/channel';
import { OutputCapture } from './output-capture';
import { COMMAND_POLICY, type CommandPolicy } from './policy/command-policy';
import { SessionSandboxes, type Lease } from './session-sandboxes';

/** A command to run. Field names are those of POST /execute and of the MCP tool. */
export interface ExecuteCommand {
  command: string;
  session_id: string;
  /** Seconds. */
  timeout?: number;
  /** Relative means below /workspace. */
  working_dir?: string;
  env?: Record<string, string>;
  stdin?: string;
  /** Of stdout and stderr in the result. */
  encoding?: 'utf8' | 'base64';
  shell?: 'sh' | 'bash';
}

export interface ExecuteResult {
  stdout: string;
  stderr: string;
  exit_code: number;
  /** Seconds, 3 decimals. */
  execution_time: number;
  /** The first 12 hex digits of the container's id. */
  container_id: string;
  timed_out: boolean;
  truncated: boolean;
  session_restarted: boolean;
}

export interface SessionInfo {
  session_id: string;
  container_id: string;
  /** ISO 8601, UTC; as are all times. */
  created_at: string;
  last_used_at: string;
  expires_at: string;
  image: string;
}

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
   * @throws SandboxError COMMAND_NOT_ALLOWED, VALIDATION_FAILED (timeout), INVALID_WORKING_DIR, SHELL_NOT_AVAILABLE, SESSION_DELETED,
   * TOO_MANY_COMMANDS, SANDBOX_*, RUNTIME_UNAVAILABLE, STORE_UNAVAILABLE
   */
  async execute(user: User, command: ExecuteCommand, signal?: AbortSignal): Promise<ExecuteResult> {
    const ref = this.ref(user, command.session_id);
    return audited(
      ref,
      { op: 'execute', command: command.command },
      async () => {
        const request = this.agentRequest(command);
        const maxMs = request.timeout_ms + EXEC_GRACE_MS;
        return this.sandboxes.enter(ref, maxMs, (lease) => this.run(lease, request, command, signal));
      },
      (result) => ({ exit_code: result.exit_code, timed_out: result.timed_out }),
    );
  }

  /** Makes the session where it is not there. Idempotent. */
  async createSession(user: User, sessionId: string): Promise<{ session_id: string; container_id: string }> {
    const ref = this.ref(user, sessionId);
    return audited(ref, { op: 'create_session' }, () =>
      this.sandboxes.enter(ref, 0, async ({ containerId }) => ({ session_id: sessionId, container_id: shortId(containerId) })),
    );
  }

  /** The user's live sessions, oldest first. Does not prolong them. */
  async listSessions(user: User): Promise<SessionInfo[]> {
    const records = await this.store.list(this.ref(user, '').userKey, Date.now());
    return records.filter(hasSandbox).map(sessionInfo);
  }

  /** Does not prolong the session. @throws SandboxError SESSION_NOT_FOUND */
  async getSession(user: User, sessionId: string): Promise<SessionInfo> {
    const record = await this.store.get(this.ref(user, sessionId).key, Date.now());
    if (!record || !hasSandbox(record)) throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
    return sessionInfo(record);
  }

  /** Container and volume are gone when it resolves; calls under way in it end with SESSION_DELETED. Idempotent. */
  async deleteSession(user: User, sessionId: string): Promise<{ status: 'deleted'; session_id: string }> {
    const ref = this.ref(user, sessionId);
    await audited(ref, { op: 'delete_session' }, () => this.sandboxes.remove(ref));
    return { status: 'deleted', session_id: sessionId };
  }

  private ref(user: User, sessionId: string): SessionRef {
    return sessionRef(this.config.DEPLOYMENT, user, sessionId);
  }

  private agentRequest(command: ExecuteCommand): AgentRequest & { op: 'exec' } {
    const shell = command.shell ?? this.config.EXEC_SHELL;
    const env = command.env ?? {};
    const timeout = command.timeout ?? this.config.DEFAULT_EXEC_TIMEOUT_SECONDS;
    const maxTimeout = this.config.MAX_EXEC_TIMEOUT_SECONDS;
    if (!(timeout >= 1 && timeout <= maxTimeout)) {
      throw new SandboxError(ErrorCode.VALIDATION_FAILED, 'The request does not fit its schema.', {
        errors: [{ field: 'timeout', message: `timeout must be from 1 to ${maxTimeout} seconds` }],
      });
    }
    this.policy.check(command.command, shell, env);
    return {
      op: 'exec',
      command: command.command,
      shell,
      cwd: posix.resolve('/workspace', command.working_dir ?? ''),
      env,
      timeout_ms: Math.ceil(timeout * 1000),
      max_output: this.config.EXEC_MAX_OUTPUT_BYTES,
      stdin: command.stdin !== undefined,
    };
  }

  private async run(
    { channel, containerId, restarted }: Lease,
    request: AgentRequest & { op: 'exec' },
    { stdin, encoding = 'utf8' }: ExecuteCommand,
    signal: AbortSignal | undefined,
  ): Promise<ExecuteResult> {
    const output = { stdout: new OutputCapture(request.max_output), stderr: new OutputCapture(request.max_output) };
    const started = performance.now();
    const end = await channel.call(request, {
      input: stdin === undefined ? undefined : Buffer.from(stdin),
      onOutput: (stream, chunk) => output[stream].add(chunk),
      signal,
      deadlineMs: request.timeout_ms + EXEC_GRACE_MS,
    });
    const seconds = (performance.now() - started) / 1000;
    const { exitCode, timedOut, omitted } = execEnd(end);
    const stdout = output.stdout.finish(omitted.stdout, encoding);
    const stderr = output.stderr.finish(omitted.stderr, encoding);
    return {
      stdout: stdout.text,
      stderr: stderr.text,
      exit_code: exitCode,
      execution_time: Number(seconds.toFixed(3)),
      container_id: shortId(containerId),
      timed_out: timedOut,
      truncated: stdout.truncated || stderr.truncated,
      session_restarted: restarted,
    };
  }
}

/** Reads the agent's account of how a command ended. It comes out of the sandbox: an account that makes no sense is not passed on. */
function execEnd(end: Record<string, unknown>): { exitCode: number; timedOut: boolean; omitted: { stdout: number; stderr: number } } {
  const { exit_code: exitCode, timed_out: timedOut } = end;
  const omitted = (end.omitted ?? {}) as Record<string, unknown>;
  const { stdout, stderr } = omitted;
  const sound = isCount(exitCode) && exitCode <= 255 && typeof timedOut === 'boolean' && isCount(stdout) && isCount(stderr);
  if (!sound) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave no sound account of how the command ended.');
  return { exitCode, timedOut, omitted: { stdout, stderr } };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A record whose first sandbox is still being made is no session to a reader yet. */
function hasSandbox(record: SessionRecord): record is SessionRecord & { containerId: string; image: string } {
  return record.containerId !== null && record.image !== null;
}

function sessionInfo(record: SessionRecord & { containerId: string; image: string }): SessionInfo {
  return {
    session_id: record.ref.sessionId,
    container_id: shortId(record.containerId),
    created_at: new Date(record.createdAt).toISOString(),
    last_used_at: new Date(record.lastUsedAt).toISOString(),
    expires_at: new Date(record.expiresAt).toISOString(),
    image: record.image,
  };
}

function shortId(containerId: string): string {
  return containerId.slice(0, 12);
}
