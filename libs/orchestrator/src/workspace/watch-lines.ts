import { parseFileName, parseFlag, unsound } from '../channel/agent-values';
import type { WorkspacePath } from '../paths/workspace-path';
import { parseJsonObject } from './workspace-answers';

/** What may happen to an entry of a watched directory (agent/PROTOCOL.md, "watch"). */
export const CHANGE_TYPES = ['create', 'modify', 'remove', 'rename', 'chmod'] as const;

/** Why changes are not told. */
export const LOST_REASONS = ['overflow', 'too_many_directories', 'too_deep', 'not_readable'] as const;

/** A change in a watched directory. Paths are from that directory. */
export interface WorkspaceChange extends WorkspacePath {
  readonly type: (typeof CHANGE_TYPES)[number];
  readonly is_dir: boolean;
  /** The old path of a rename. */
  readonly from?: string;
  /** The exact bytes of an old path that is no UTF-8. */
  readonly from_base64?: string;
}

/** Changes that are not told. */
export interface LostChanges extends Partial<WorkspacePath> {
  readonly reason: (typeof LOST_REASONS)[number];
}

/** A line that the agent sends for a watch. */
export type WatchLine =
  | { readonly kind: 'ready' }
  | { readonly kind: 'change'; readonly change: WorkspaceChange }
  | { readonly kind: 'lost'; readonly lost: LostChanges };

/**
 * Reads a line of a watch.
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends
 */
export function parseWatchLine(line: Buffer): WatchLine {
  const found = parseJsonObject(line.toString('utf8'));
  if (found.ready === true) return { kind: 'ready' };
  if (found.lost !== undefined) return { kind: 'lost', lost: parseLost(found) };
  return { kind: 'change', change: parseChange(found) };
}

function parseChange({ type, path, path_base64, is_dir, from, from_base64 }: Record<string, unknown>): WorkspaceChange {
  const change = { type: oneOf(CHANGE_TYPES, type), ...parseFileName(path, path_base64), is_dir: parseFlag(is_dir) };
  if (change.type !== 'rename') return change;
  const { path: shown, path_base64: exact } = parseFileName(from, from_base64);
  return { ...change, from: shown, ...(exact !== undefined && { from_base64: exact }) };
}

function parseLost({ lost, path, path_base64 }: Record<string, unknown>): LostChanges {
  const reason = oneOf(LOST_REASONS, lost);
  return path === undefined && path_base64 === undefined ? { reason } : { reason, ...parseFileName(path, path_base64) };
}

function oneOf<T extends string>(values: readonly T[], value: unknown): T {
  if (!(values as readonly unknown[]).includes(value)) throw unsound();
  return value as T;
}
