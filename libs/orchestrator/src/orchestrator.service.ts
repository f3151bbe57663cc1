import { Injectable } from '@nestjs/common';
import type { User } from '@sandbox/sessions';

/** A command to run. Field names are those of POST /execute and of the MCP tool. */
export interface ExecuteCommand {
  command: string;
  session_id: string;
  /** Seconds. */
  timeout?: number;
  working_dir?: string;
  env?: Record<string, string>;
  stdin?: string;
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

@Injectable()
export class OrchestratorService {
  /** Runs a command in the user's session, made on first use. @throws SandboxError */
  execute(user: User, command: ExecuteCommand, signal?: AbortSignal): Promise<ExecuteResult> {
    throw new Error(`not built yet ${user.id} ${command.command} ${signal?.aborted}`);
  }

  /** Makes the session where it is not there. Idempotent. */
  createSession(user: User, sessionId: string): Promise<{ session_id: string; container_id: string }> {
    throw new Error(`not built yet ${user.id} ${sessionId}`);
  }

  /** The user's live sessions, oldest first. Does not prolong them. */
  listSessions(user: User): Promise<SessionInfo[]> {
    throw new Error(`not built yet ${user.id}`);
  }

  /** @throws SandboxError SESSION_NOT_FOUND */
  getSession(user: User, sessionId: string): Promise<SessionInfo> {
    throw new Error(`not built yet ${user.id} ${sessionId}`);
  }

  /** Container and volume are gone when it resolves. Idempotent. */
  deleteSession(user: User, sessionId: string): Promise<{ status: 'deleted'; session_id: string }> {
    throw new Error(`not built yet ${user.id} ${sessionId}`);
  }

  /** What is not ready, by name; empty: all is. Resolves within 2.5 s. Checks: `docker`, `store`, `image`. */
  readiness(): Promise<{ docker: string; store: string; image: string }> {
    throw new Error('not built yet');
  }
}
