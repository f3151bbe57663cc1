import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { sessionRef, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import type { AgentRequest, CallOptions } from '../channel/channel';
import type { AgentConditions, EntityTags } from '../channel/file-requests';
import { GrowingBuffer } from '../bytes/growing-buffer';
import type { SessionEntrance } from '../entering/session-entrance';
import { type GivenPath, shownBytes, workspaceFile, type WorkspacePath } from '../paths/workspace-path';

/** Whose file it is. `to` is a second path, where a call has two. */
export type FileCall = { readonly user: User; readonly sessionId: string; readonly path: GivenPath; readonly to?: GivenPath };

/** What has to hold of the file that is there (RFC 9110, section 13.1); what is absent holds. */
export interface Preconditions {
  readonly ifMatch?: EntityTags;
  readonly ifNoneMatch?: EntityTags;
}

/** A call's place in the system: the services that make file calls each have one. */
export interface FileCaller {
  readonly config: Config;
  readonly entrance: SessionEntrance;
}

/**
 * Makes one file call and writes its one line in the log, also if the path is refused before
 * anything is sent. The line has the paths as answers have them, relative to /workspace. A path
 * that is refused stands there as it came.
 * @param request takes the paths in the form that the agent wants
 */
export function fileCall(
  { config, entrance }: FileCaller,
  op: string,
  { user, sessionId, path, to }: FileCall,
  request: (file: WorkspacePath, to: WorkspacePath) => AgentRequest,
  options: CallOptions,
): Promise<Record<string, unknown>> {
  const ref = sessionRef(config.DEPLOYMENT, user, sessionId);
  const logged = { op, file: loggedPath(path), to: to === undefined ? undefined : loggedPath(to) };
  return audited(user, ref, logged, async () => {
    const agentRequest = request(workspaceFile(path), workspaceFile(to ?? ''));
    return entrance.enterSession(ref, options.deadlineMs, ({ channel }) => channel.call(agentRequest, options), { signal: options.signal });
  });
}

function loggedPath(path: GivenPath): WorkspacePath {
  try {
    return workspaceFile(path);
  } catch {
    return typeof path === 'string' ? { path } : shownBytes(path);
  }
}

/** As fileCall, with the output held in memory: over `maxBytes` of it the call fails with FILE_TOO_LARGE and that detail. */
export async function collectedFileCall(
  caller: FileCaller,
  op: string,
  file: FileCall,
  request: (file: WorkspacePath, to: WorkspacePath) => AgentRequest,
  options: CallOptions,
  { maxBytes, detail }: { maxBytes: number; detail: string },
): Promise<{ output: Buffer; end: Record<string, unknown> }> {
  const output = new GrowingBuffer(maxBytes);
  const end = await fileCall(caller, op, file, request, {
    ...options,
    onOutput: (_stream, chunk) => {
      if (output.length + chunk.length > maxBytes) throw new SandboxError(ErrorCode.FILE_TOO_LARGE, detail);
      output.append(chunk);
    },
  });
  return { output: output.take(), end };
}

export function agentConditions({ ifMatch, ifNoneMatch }: Preconditions): AgentConditions {
  return { if_match: ifMatch, if_none_match: ifNoneMatch };
}

/** @throws SandboxError INVALID_PATH */
export function notRoot(file: WorkspacePath): WorkspacePath {
  if (file.path === '') throw new SandboxError(ErrorCode.INVALID_PATH, 'The path is the workspace itself.');
  return file;
}
