import { ErrorCode, SandboxError } from '@sandbox/errors';
import { workspacePath, type WorkspacePath } from './workspace-path';

/** A glob as the agent takes it (agent/PROTOCOL.md, "search"). */
export interface AgentGlob {
  /** Null stands for all files. */
  readonly glob: string | null;
  /**
   * The text with which the glob is compared: a file's name, its path below the searched directory,
   * or its path from the root of the workspace.
   */
  readonly glob_of: 'name' | 'below' | 'root';
}

const ALL_FILES: AgentGlob = { glob: null, glob_of: 'below' };
const WILDCARD = /[*?[{\\]/;
/** Finds, within braces, an absolute alternative or one with an empty, `.` or `..` name. */
const UNPLAIN_ALTERNATIVE = /(?:^|[{,/])\.{0,2}\/|(?:[{,/])\.\.?(?:$|[},])/;

/**
 * Brings a client's glob into the form that the agent takes. The rule for paths holds: `./src/**`
 * and `/workspace/src/**` both become `src/**`. A glob that ends with a slash means everything
 * below.
 * @param glob all files if undefined
 * @param file what is searched
 * @throws SandboxError INVALID_PATH, PATH_OUTSIDE_WORKSPACE, as workspacePath; INVALID_PATTERN
 */
export function workspaceGlob(glob: string | undefined, { path, path_base64 }: WorkspacePath): AgentGlob {
  if (glob === undefined) return ALL_FILES;
  checkParents(glob);
  checkAlternatives(glob);
  const relative = workspacePath(glob, 'glob');
  if (relative === '') return ALL_FILES;
  const absolute = glob.startsWith('/');
  if (absolute && path_base64 === undefined) checkPlace(relative, path);
  return {
    glob: glob.endsWith('/') ? `${relative}/**` : relative,
    glob_of: absolute ? 'root' : glob.includes('/') ? 'below' : 'name',
  };
}

/** `..` removes the name before it. After a wildcard, it is unknown which name that is. */
function checkParents(glob: string): void {
  const names = glob.split('/');
  const wildcard = names.findIndex((name) => WILDCARD.test(name));
  if (wildcard !== -1 && names.includes('..', wildcard)) throw invalid('The glob has a `..` after a wildcard. Give a glob without `..`.');
}

/**
 * The rule for paths is not applied within braces, so an alternative there has to be plain already.
 */
function checkAlternatives(glob: string): void {
  for (const braces of bracedParts(glob))
    if (UNPLAIN_ALTERNATIVE.test(braces))
      throw invalid('In the braces of a glob, give plain relative paths: `{src,lib}/**` and not `{./src,/workspace/lib}/**`.');
}

/** @returns the contents of the outermost braces of a glob */
function bracedParts(glob: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < glob.length; at++) {
    const character = glob[at];
    if (character === '\\') at++;
    else if (character === '{' && depth++ === 0) start = at + 1;
    else if (character === '}' && depth > 0 && --depth === 0) parts.push(glob.slice(start, at));
  }
  return parts;
}

/** Refuses an absolute glob that matches no file in `path`: its author made a mistake. */
function checkPlace(glob: string, path: string): void {
  if (path === '') return;
  const names = glob.split('/');
  const wildcard = names.findIndex((name) => WILDCARD.test(name));
  const plain = wildcard === -1 ? names : names.slice(0, wildcard);
  const differs = path.split('/').some((name, index) => index < plain.length && plain[index] !== name);
  if (differs) throw invalid('The glob is for files that are not in `path`. Give the one or the other, or a relative glob.');
}

function invalid(detail: string): SandboxError {
  return new SandboxError(ErrorCode.INVALID_PATTERN, detail);
}
