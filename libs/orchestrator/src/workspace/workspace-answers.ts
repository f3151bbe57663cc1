import { parseCount, parseFileName, parseObject, parseAgentJson, unsound } from '../channel/agent-values';
import { parseSkip, type Skip } from './skips';

/** An entry of a directory, as the API shows it. */
export interface WorkspaceEntry {
  /** The file's name. For entries below the listed directory, the path from there. */
  name: string;
  /** The exact bytes of a name that is no UTF-8. Absent for any other name. */
  name_base64?: string;
  type: 'file' | 'dir' | 'symlink' | 'other';
  /** Bytes. */
  size: number;
  /** ISO 8601, UTC. */
  modified: string;
}

/** The agent's account of an archive that it unpacked. */
export interface UnpackResult {
  /** Number of files, directories and links in the archive. */
  entries: number;
  /** Bytes of its files. */
  size: number;
}

/** The agent's account of a file, which precedes the file's bytes. */
export interface FileHeader {
  size: number;
  modified: string;
  offset: number;
  length: number;
  /** The value of the ETag header, with quotes. */
  etag: string;
}

/** An agent's tag is four numbers, far shorter than this allows. */
const ENTITY_TAG = /^[0-9a-f.-]{1,120}$/;

const TYPES: readonly unknown[] = ['file', 'dir', 'symlink', 'other'];

/**
 * Reads one line of a listing.
 * @throws SandboxError SANDBOX_LOST if the line is not what an agent sends, because it comes out of
 *   the sandbox
 */
export function parseEntry(line: string): WorkspaceEntry | Skip {
  const found = parseJsonObject(line);
  const skip = parseSkip(found);
  if (skip !== undefined) return skip;
  const { name, name_base64, type, size, modified } = found;
  const { path: shown, path_base64: exact } = parseFileName(name, name_base64);
  return {
    name: shown,
    ...(exact !== undefined && { name_base64: exact }),
    type: workspaceType(type),
    size: parseCount(size),
    modified: parseTime(modified),
  };
}

/**
 * Reads what the agent says of an archive that it unpacked.
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends
 */
export function parseUnpackResult({ entries, size }: Record<string, unknown>): UnpackResult {
  return { entries: parseCount(entries), size: parseCount(size) };
}

/**
 * Reads the line that precedes a file's bytes.
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends
 */
export function parseFileHeader(line: Buffer): FileHeader {
  const { size, modified, offset, length, etag: tag } = parseJsonObject(line.toString('utf8'));
  return {
    size: parseCount(size),
    modified: parseTime(modified),
    offset: parseCount(offset),
    length: parseCount(length),
    etag: parseEtag(tag),
  };
}

/**
 * Reads an entity tag.
 * @returns the tag as a header has it, with quotes
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends
 */
export function parseEtag(value: unknown): string {
  if (typeof value !== 'string' || !ENTITY_TAG.test(value)) throw unsound();
  return `"${value}"`;
}

/**
 * Reads the type of a file.
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends
 */
export function workspaceType(value: unknown): WorkspaceEntry['type'] {
  if (!TYPES.includes(value)) throw unsound();
  return value as WorkspaceEntry['type'];
}

/**
 * Reads a JSON object.
 * @throws SandboxError SANDBOX_LOST if the text is no JSON object
 */
export function parseJsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseAgentJson(text);
  } catch {
    throw unsound();
  }
  return parseObject(value);
}

/**
 * Converts seconds since the epoch to ISO 8601. A file may carry any time. One that no Date can
 * hold becomes the nearest that it can.
 * @throws SandboxError SANDBOX_LOST if the value is no number
 */
export function parseTime(value: unknown): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw unsound();
  const MAX_DATE_MS = 8.64e15;
  return new Date(Math.max(-MAX_DATE_MS, Math.min(MAX_DATE_MS, Math.round(value * 1000)))).toISOString();
}
