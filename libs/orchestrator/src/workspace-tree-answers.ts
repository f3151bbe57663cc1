import { ErrorCode, SandboxError } from '@sandbox/errors';
import { count, unsound } from './agent-values';
import { etag, parseObject, time, workspaceType, type WorkspaceEntry } from './workspace-answers';

export interface WorkspaceStat {
  /** From the workspace's root; '' is the root. */
  path: string;
  type: WorkspaceEntry['type'];
  /** Bytes. */
  size: number;
  /** ISO 8601, UTC. */
  modified: string;
  /** Four octal digits, as chmod takes them. */
  mode: string;
  /** As the ETag and If-Match headers have it, quotes included. */
  etag: string;
}

export interface SearchMatch {
  path: string;
  /** From 1. Absent, as is `line`, where files alone were searched for. */
  line_number?: number;
  line?: string;
}

const MAX_MODE = 0o7777;

/** @throws SandboxError SANDBOX_LOST where the answer is not what an agent sends: it comes out of the sandbox. So do the others. */
export function parseStat(path: string, end: Record<string, unknown>): WorkspaceStat {
  const mode = count(end.mode);
  if (mode > MAX_MODE) throw unsound();
  return {
    path,
    type: workspaceType(end.type),
    size: count(end.size),
    modified: time(end.modified),
    mode: mode.toString(8).padStart(4, '0'),
    etag: etag(end.etag),
  };
}

/** @param withLines whether there was a pattern to find in lines */
export function parseMatch(line: string, withLines: boolean): SearchMatch {
  const match = parseObject(line);
  if (typeof match.path !== 'string') throw unsound();
  if (!withLines) return { path: match.path };
  if (typeof match.line !== 'string') throw unsound();
  return { path: match.path, line_number: count(match.line_number), line: match.line };
}

/** A diff of text is text. */
export function parseDiff(output: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(output);
  } catch {
    throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave a difference that is not text.');
  }
}
