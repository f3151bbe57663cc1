import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { sessionRef, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import type { AgentRequest, CallOptions } from '../channel/channel';
import type { AgentConditions, EntityTags } from '../channel/file-requests';
import { GrowingBuffer } from '../bytes/growing-buffer';
import type { OpenSandbox } from '../entering/open-sandbox';
import type { SessionEntrance } from '../entering/session-entrance';
import { LineParser } from './line-parser';
import { type GivenPath, shownBytes, workspaceFile, type WorkspacePath } from '../paths/workspace-path';

/** The longest that a file call takes, unless it carries a file's bytes. */
export const FILE_CALL_DEADLINE_MS = 60_000;

/** A file, and the user and session it belongs to. `to` is a second path, if the call has two. */
export type FileCall = { readonly user: User; readonly sessionId: string; readonly path: GivenPath; readonly to?: GivenPath };

/**
 * Conditions on the file that is there (RFC 9110, section 13.1). An absent condition always holds.
 */
export interface Preconditions {
  readonly ifMatch?: EntityTags;
  readonly ifNoneMatch?: EntityTags;
}

/** The news of the session that a file call brings besides its result. */
export interface FileCallNews {
  /**
   * This call made the session: what one of that name had before is gone, unless its workspace is
   * persistent.
   */
  session_created: boolean;
}

/** The parts of a service that file calls need. */
export interface FileCaller {
  readonly config: Config;
  readonly entrance: SessionEntrance;
}

/**
 * Makes one file call and writes its one line in the log, also if the path is refused before
 * anything is sent. The line has the paths as answers have them, relative to /workspace. A refused
 * path is logged as it came.
 * @param op the call's name in the log, such as `workspace_write`
 * @param request builds the agent's request from the paths in their one form
 * @returns the members of the agent's END as `end`
 * @throws SandboxError INVALID_PATH, PATH_OUTSIDE_WORKSPACE; what enterSession and the
 *   agent throw
 */
export function fileCall(
  { config, entrance }: FileCaller,
  op: string,
  { user, sessionId, path, to }: FileCall,
  request: (file: WorkspacePath, to: WorkspacePath) => AgentRequest,
  options: CallOptions,
): Promise<FileCallNews & { end: Record<string, unknown> }> {
  const ref = sessionRef(config.DEPLOYMENT, user, sessionId);
  const logged = { op, file: loggedPath(path), to: to === undefined ? undefined : loggedPath(to) };
  return audited(user, ref, logged, async () => {
    const agentRequest = request(workspaceFile(path), workspaceFile(to ?? ''));
    const call = async ({ channel, created }: OpenSandbox): Promise<FileCallNews & { end: Record<string, unknown> }> => ({
      end: await channel.sendRequest(agentRequest, options),
      session_created: created,
    });
    return entrance.enterSession(ref, options.deadlineMs, call, { signal: options.signal });
  });
}

/** A path as the log shows it: relative to /workspace, or as it came if it is refused. */
export function loggedPath(path: GivenPath): WorkspacePath {
  try {
    return workspaceFile(path);
  } catch {
    return typeof path === 'string' ? { path } : shownBytes(path);
  }
}

/**
 * Does the same as fileCall and holds the output in memory. If the output has more than `maxBytes`,
 * the call fails with FILE_TOO_LARGE and `detail`.
 */
export async function collectedFileCall(
  caller: FileCaller,
  op: string,
  file: FileCall,
  request: (file: WorkspacePath, to: WorkspacePath) => AgentRequest,
  options: CallOptions,
  { maxBytes, detail }: { maxBytes: number; detail: string },
): Promise<FileCallNews & { output: Buffer; end: Record<string, unknown> }> {
  const output = new GrowingBuffer(maxBytes);
  const answer = await fileCall(caller, op, file, request, {
    ...options,
    onOutput: (_stream, chunk) => {
      if (output.length + chunk.length > maxBytes) throw new SandboxError(ErrorCode.FILE_TOO_LARGE, detail);
      output.append(chunk);
    },
  });
  return { ...answer, output: output.takeBytes() };
}

/**
 * Does the same as fileCall and parses the lines of the output as they come. If the output has more
 * than `maxBytes`, the call fails with FILE_TOO_LARGE and `detail`. If `parse` throws, the call
 * fails with that.
 */
export async function parsedFileCall<T>(
  caller: FileCaller,
  op: string,
  file: FileCall,
  request: (file: WorkspacePath, to: WorkspacePath) => AgentRequest,
  options: CallOptions,
  parse: (line: string) => T,
  limit: { maxBytes: number; detail: string },
): Promise<FileCallNews & { lines: T[]; end: Record<string, unknown> }> {
  const parser = new LineParser(parse, limit);
  const answer = await fileCall(caller, op, file, request, { ...options, onOutput: (_stream, chunk) => parser.push(chunk) });
  return { ...answer, lines: parser.parsed };
}

/** Writes preconditions as the agent takes them. */
export function agentConditions({ ifMatch, ifNoneMatch }: Preconditions): AgentConditions {
  return { if_match: ifMatch, if_none_match: ifNoneMatch };
}

/**
 * Refuses the root of the workspace.
 * @throws SandboxError INVALID_PATH
 */
export function notRoot(file: WorkspacePath): WorkspacePath {
  if (file.path === '') throw new SandboxError(ErrorCode.INVALID_PATH, 'The path is the workspace itself.');
  return file;
}
