import { isUtf8 } from 'node:buffer';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { firstCharacters } from '@sandbox/text';

/** PATH_MAX of Linux. */
const MAX_PATH_BYTES = 4096;
/** The most characters of a path that an error shows. */
const SHOWN_CHARACTERS = 200;

/** A beginning of a path that a shell or a browser replaces. File calls do not. */
const REPLACED_BY_OTHERS = /^(?:(?:~|\$HOME|\$\{HOME\}|\$PWD|\$\{PWD\})(?=\/|$)|file:\/\/)/;

/** A path as a caller gives it: text, or the exact bytes of a path that may be no UTF-8. */
export type GivenPath = string | Buffer;

/**
 * A path in the one form that the agent takes and that answers show. It is relative to /workspace,
 * without empty, `.` or `..` names; '' is the root. If the path is no UTF-8, `path_base64` has its
 * exact bytes, and `path` shows U+FFFD for what is no character.
 */
export interface WorkspacePath {
  readonly path: string;
  readonly path_base64?: string;
}

/**
 * A path to be checked: its text, of which only ASCII matters, and how to show it to the caller.
 */
interface Spelling {
  readonly text: string;
  /** The length of the path in bytes. */
  readonly length: number;
  readonly what: string;
  /** @param part a part of `text`, or text made from it */
  quoted(part: string): string;
}

/**
 * Brings a path into its one form.
 * @throws SandboxError INVALID_PATH, PATH_OUTSIDE_WORKSPACE, as workspacePath
 */
export function workspaceFile(given: GivenPath): WorkspacePath {
  if (typeof given === 'string') return { path: workspacePath(given) };
  // Each byte is one character here. So names stay as they are, and `/` and `.` are the same as in
  // UTF-8.
  const spelling: Spelling = { text: given.toString('latin1'), length: given.length, what: 'path', quoted: quotedBytes };
  return shownBytes(Buffer.from(relative(spelling), 'latin1'));
}

/**
 * Applies the rule for every path of a file call, and for globs:
 *
 * - A relative path starts at /workspace.
 * - An absolute path is the sandbox's own: `/workspace/a` and `a` are one file.
 * - `/workspace` and `/` are the root.
 * - Any other absolute path is outside.
 *
 * This function checks the text. The agent checks the links.
 * @param what what the caller calls the text, for the error
 * @returns the path relative to /workspace, without empty, `.` or `..` names; '' is the root
 * @throws SandboxError INVALID_PATH, PATH_OUTSIDE_WORKSPACE; both say what to give instead
 */
export function workspacePath(text: string, what = 'path'): string {
  return relative({ text, length: Buffer.byteLength(text), what, quoted });
}

/** @returns how a caller is shown a path that is bytes */
export function shownBytes(bytes: Buffer): WorkspacePath {
  const path = bytes.toString('utf8');
  return isUtf8(bytes) ? { path } : { path, path_base64: bytes.toString('base64') };
}

/**
 * Advises the author of a path that begins with `~`, `$HOME`, `$PWD` or `file://`. The author
 * hardly ever means a directory named `~`. But `~/a` cannot stand for `a` either: if a directory
 * `~` exists, a listing shows it by that name.
 * @returns undefined if the path does not begin so
 */
export function spellingAdvice(text: string, what: string): string | undefined {
  return adviceFor({ text, length: Buffer.byteLength(text), what, quoted });
}

function relative(spelling: Spelling): string {
  const { text, length, what } = spelling;
  if (text.includes('\0')) throw invalid(`The ${what} contains a NUL character.`);
  if (length > MAX_PATH_BYTES) throw invalid(`The ${what} is longer than ${MAX_PATH_BYTES} bytes.`);
  // A path of a single name is taken as it is, because a listing may have shown it.
  const advice = text.includes('/') ? adviceFor(spelling) : undefined;
  if (advice !== undefined) throw invalid(advice);
  const names = namesOf(spelling);
  if (!text.startsWith('/')) return names.join('/');
  if (names.length > 0 && names[0] !== 'workspace') throw outside(names.join('/'), spelling);
  return names.slice(1).join('/');
}

function adviceFor({ text, what, quoted: show }: Spelling): string | undefined {
  const [spelling] = REPLACED_BY_OTHERS.exec(text) ?? [];
  if (spelling === undefined) return undefined;
  const said = `The ${what} ${show(text)} begins with ${spelling}, which is not replaced here.`;
  const rest = text.slice(spelling.length);
  if (spelling === 'file://') return `${said} Give ${show(rest)}.`;
  const below = rest.replace(/^\/+/, '') || '.';
  return `${said} The home directory is /workspace: give ${show(below)}, or ${show(`./${text}`)} for what is really named ${spelling}.`;
}

/**
 * Resolves `.` and `..`, from / or from /workspace.
 * @returns the names that are left
 */
function namesOf(spelling: Spelling): string[] {
  const names: string[] = [];
  for (const name of spelling.text.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) throw above(spelling);
  }
  return names;
}

function above({ text, what, quoted: show }: Spelling): SandboxError {
  const top = text.startsWith('/') ? '/' : '/workspace, where a relative path starts';
  return invalid(`The ${what} ${show(text)} leads above ${top}.`);
}

function outside(names: string, { what, quoted: show }: Spelling): SandboxError {
  const absolute = show(`/${names}`);
  return new SandboxError(
    ErrorCode.PATH_OUTSIDE_WORKSPACE,
    `The ${what} ${absolute} is outside /workspace, and file calls reach /workspace alone. For ${show(`/workspace/${names}`)} give ${show(names)}. Only a command (execute) can reach ${absolute}.`,
  );
}

function invalid(detail: string): SandboxError {
  return new SandboxError(ErrorCode.INVALID_PATH, detail);
}

function quoted(text: string): string {
  const shown = firstCharacters(text, SHOWN_CHARACTERS);
  return JSON.stringify(shown.length < text.length ? `${shown}…` : shown);
}

/** @param latin1 one character for each byte */
function quotedBytes(latin1: string): string {
  const { path, path_base64 } = shownBytes(Buffer.from(latin1, 'latin1'));
  return path_base64 === undefined ? quoted(path) : `path_base64 ${quoted(path_base64)}`;
}
