import { posix } from 'node:path';
import type { WorkspaceEntry, WorkspaceStat } from '@sandbox/orchestrator';
import { shownPath } from './sandbox-paths';

/** A file, directory or link, as `filesystem.EntryInfo` is written in Protobuf's JSON. */
export interface EntryInfo {
  readonly name: string;
  readonly type: string;
  readonly path: string;
  /** 64 bits are a text in this JSON. */
  readonly size: string;
  readonly mode?: number;
  readonly permissions?: string;
  readonly owner: string;
  readonly group: string;
  readonly modifiedTime: string;
}

const TYPES = {
  file: 'FILE_TYPE_FILE',
  dir: 'FILE_TYPE_DIRECTORY',
  symlink: 'FILE_TYPE_SYMLINK',
  other: 'FILE_TYPE_UNSPECIFIED',
} as const;
const TYPE_LETTERS = { file: '-', dir: 'd', symlink: 'l', other: '?' } as const;

/** Every file belongs to the only user that there is. */
const OWNER = { owner: 'user', group: 'user' } as const;

/** Describes a file that was looked at alone. */
export function statInfo({ path, type, size, modified, mode }: WorkspaceStat): EntryInfo {
  const bits = Number.parseInt(mode, 8);
  return { ...info(path, type, size, modified), mode: bits, permissions: TYPE_LETTERS[type] + letters(bits) };
}

/**
 * Describes a file of a listing, which has no permissions.
 * @param directory the path of what was listed, relative to /workspace
 */
export function listedInfo(directory: string, { name, type, size, modified }: WorkspaceEntry): EntryInfo {
  return info(directory === '' ? name : `${directory}/${name}`, type, size, modified);
}

function info(path: string, type: WorkspaceEntry['type'], size: number, modified: string): EntryInfo {
  const whole = shownPath(path);
  return { name: posix.basename(whole), type: TYPES[type], path: whole, size: String(size), ...OWNER, modifiedTime: modified };
}

/** Writes permissions as `ls -l` does, without the bits for setuid and the like. */
function letters(bits: number): string {
  return [6, 3, 0].flatMap((shift) => [...'rwx'].map((letter, at) => ((bits >> shift) & (4 >> at) ? letter : '-'))).join('');
}
