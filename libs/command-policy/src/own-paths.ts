import { posix } from 'node:path';

/** Directories that a session may write to. They hold programs of the session's own. */
const WRITABLE = /^\/(?:workspace|tmp|dev\/shm)\//;

/**
 * A path out of the working directory into the program directories of the image, such as
 * `../usr/bin/x`.
 */
const OUT_TO_BIN = /^(?:\.\.\/)+(?:usr\/(?:local\/)?)?s?bin\/[^/]+$/;

/**
 * Whether a program with this path is the session's own, judged by the text of the path. A relative
 * path is, unless it leads up and into a program directory of the image.
 */
export function isOwnPath(path: string): boolean {
  const clean = posix.normalize(path);
  return posix.isAbsolute(clean) ? WRITABLE.test(clean) : !OUT_TO_BIN.test(clean);
}
