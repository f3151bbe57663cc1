import { setImmediate as nextTurn } from 'node:timers/promises';
import { count, fileName, object, parseAgentJson, unsound } from '../channel/agent-values';

export interface WorkspaceEntry {
  /** A name of a file; of entries below the listed directory, the path from there. */
  name: string;
  /** The exact bytes of a name that is no UTF-8; absent of any other. */
  name_base64?: string;
  type: 'file' | 'dir' | 'symlink' | 'other';
  /** Bytes. */
  size: number;
  /** ISO 8601, UTC. */
  modified: string;
}

export interface UnpackResult {
  /** Files, directories and links of the archive. */
  entries: number;
  /** Bytes of its files. */
  size: number;
}

export interface FileHeader {
  size: number;
  modified: string;
  offset: number;
  length: number;
  /** As the ETag header has it, quotes included. */
  etag: string;
}

/** Far more than an agent's own, which has four numbers. */
const ENTITY_TAG = /^[0-9a-f.-]{1,120}$/;

/** Some milliseconds' work. */
const SLICE_LINES = 2_000;

const TYPES: readonly unknown[] = ['file', 'dir', 'symlink', 'other'];

/** The lines of an agent's answer, without their ends. */
export function splitLines(answer: Buffer): string[] {
  const lines = answer.toString('utf8').split('\n');
  lines.pop();
  return lines;
}

/** Of many lines, with other requests' turns in between. */
export async function parseInSlices<T>(lines: string[], parse: (line: string) => T): Promise<T[]> {
  const parsed: T[] = [];
  for (let start = 0; start < lines.length; start += SLICE_LINES) {
    if (start > 0) await nextTurn();
    for (const line of lines.slice(start, start + SLICE_LINES)) parsed.push(parse(line));
  }
  return parsed;
}

/** @throws SandboxError SANDBOX_LOST where the line is not what an agent sends: it comes out of the sandbox */
export function parseEntry(line: string): WorkspaceEntry {
  const { name, name_base64, type, size, modified } = parseObject(line);
  const { path: shown, path_base64: exact } = fileName(name, name_base64);
  return {
    name: shown,
    ...(exact !== undefined && { name_base64: exact }),
    type: workspaceType(type),
    size: count(size),
    modified: time(modified),
  };
}

/** What an unpacked archive held. @throws SandboxError SANDBOX_LOST, as parseEntry */
export function parseUnpackResult({ entries, size }: Record<string, unknown>): UnpackResult {
  return { entries: count(entries), size: count(size) };
}

/** @throws SandboxError SANDBOX_LOST, as parseEntry */
export function parseFileHeader(line: Buffer): FileHeader {
  const { size, modified, offset, length, etag: tag } = parseObject(line.toString('utf8'));
  return { size: count(size), modified: time(modified), offset: count(offset), length: count(length), etag: etag(tag) };
}

/** The tag as it stands in a header. */
export function etag(value: unknown): string {
  if (typeof value !== 'string' || !ENTITY_TAG.test(value)) throw unsound();
  return `"${value}"`;
}

export function workspaceType(value: unknown): WorkspaceEntry['type'] {
  if (!TYPES.includes(value)) throw unsound();
  return value as WorkspaceEntry['type'];
}

export function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseAgentJson(text);
  } catch {
    throw unsound();
  }
  return object(value);
}

/** Seconds since the epoch to ISO 8601. A file may carry any time; one that no Date can hold is shown as the nearest it can. */
export function time(value: unknown): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw unsound();
  const MAX_DATE_MS = 8.64e15;
  return new Date(Math.max(-MAX_DATE_MS, Math.min(MAX_DATE_MS, Math.round(value * 1000)))).toISOString();
}
