import { ErrorCode, SandboxError } from '@sandbox/errors';

/** Linux's PATH_MAX, bytes. */
const MAX_PATH_BYTES = 4096;
/** An error shows no more of a path, characters. */
const SHOWN_CHARACTERS = 200;

/** What a shell or a browser would replace at the beginning of a path. File calls do not. */
const REPLACED_BY_OTHERS = /^(?:(?:~|\$HOME|\$\{HOME\}|\$PWD|\$\{PWD\})(?=\/|$)|file:\/\/)/;

/**
 * Brings a client's path into the one form that the agent takes: relative to /workspace, without
 * empty, `.` or `..` names; '' is the root. The rule for every path of a file call stands here:
 *
 * - A relative path starts at /workspace.
 * - An absolute path is the sandbox's own: `/workspace/a` and `a` are one file.
 * - `/workspace` and `/` are the root.
 * - Any other absolute path is outside.
 *
 * The function looks at the text alone. The agent looks at the links.
 * @param what what the caller calls the text, for the error
 * @throws SandboxError INVALID_PATH, PATH_OUTSIDE_WORKSPACE; both say what to give instead
 */
export function workspacePath(path: string, what = 'path'): string {
  if (path.includes('\0')) throw invalid(`The ${what} contains a NUL character.`);
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw invalid(`The ${what} is longer than ${MAX_PATH_BYTES} bytes.`);
  const advice = spellingAdvice(path, what);
  if (advice !== undefined) throw invalid(advice);
  const names = namesOf(path, what);
  if (!path.startsWith('/')) return names.join('/');
  if (names.length > 0 && names[0] !== 'workspace') throw outside(names.join('/'), what);
  return names.slice(1).join('/');
}

/**
 * What to tell the author of a path that begins with `~`, `$HOME`, `$PWD` or `file://`; undefined
 * if it does not. Its author hardly ever means a directory named `~`. To take `~/a` for `a` would
 * be wrong too: a listing shows a directory `~`, if there is one, by that name.
 */
export function spellingAdvice(path: string, what: string): string | undefined {
  const [spelling] = REPLACED_BY_OTHERS.exec(path) ?? [];
  if (spelling === undefined) return undefined;
  const said = `The ${what} ${quoted(path)} begins with ${spelling}, which is not replaced here.`;
  const rest = path.slice(spelling.length);
  if (spelling === 'file://') return `${said} Give ${quoted(rest)}.`;
  const relative = rest.replace(/^\/+/, '') || '.';
  return `${said} The home directory is /workspace: give ${quoted(relative)}, or ${quoted(`./${path}`)} for what is really named ${spelling}.`;
}

/** The names that are left once `.` and `..` are resolved, from / or from /workspace. */
function namesOf(path: string, what: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) throw above(path, what);
  }
  return names;
}

function above(path: string, what: string): SandboxError {
  const top = path.startsWith('/') ? '/' : '/workspace, where a relative path starts';
  return invalid(`The ${what} ${quoted(path)} leads above ${top}.`);
}

function outside(names: string, what: string): SandboxError {
  const absolute = quoted(`/${names}`);
  return new SandboxError(
    ErrorCode.PATH_OUTSIDE_WORKSPACE,
    `The ${what} ${absolute} is outside /workspace, and file calls reach /workspace alone. For ${quoted(`/workspace/${names}`)} give ${quoted(names)}. Only a command (execute) can reach ${absolute}.`,
  );
}

function invalid(detail: string): SandboxError {
  return new SandboxError(ErrorCode.INVALID_PATH, detail);
}

function quoted(text: string): string {
  const characters = Array.from(text);
  return JSON.stringify(characters.length > SHOWN_CHARACTERS ? `${characters.slice(0, SHOWN_CHARACTERS).join('')}…` : text);
}
