import { ErrorCode, SandboxError } from '@sandbox/errors';

/** Linux's PATH_MAX, bytes. */
const MAX_PATH_BYTES = 4096;

/**
 * Brings a client's path into the one form the agent takes: relative to /workspace, without empty, `.` or `..` components; '' is the root.
 * A leading slash means the workspace's root. Purely by text: links are the agent's business.
 * @throws SandboxError INVALID_PATH
 */
export function workspacePath(path: string): string {
  if (path.includes('\0')) throw invalid('contains a NUL character');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw invalid(`is longer than ${MAX_PATH_BYTES} bytes`);
  const components: string[] = [];
  for (const component of path.split('/')) {
    if (component === '' || component === '.') continue;
    if (component !== '..') components.push(component);
    else if (components.pop() === undefined) throw invalid('leads above the workspace');
  }
  return components.join('/');
}

function invalid(reason: string): SandboxError {
  return new SandboxError(ErrorCode.INVALID_PATH, `The path ${reason}.`);
}
