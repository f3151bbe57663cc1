import { posix } from 'node:path';

/** What a session may write, and so holds programs of its user's own. */
const WRITABLE = /^\/(?:workspace|tmp|dev\/shm)\//;

/** A path out of the working directory into the image's directories of programs: `../usr/bin/x`. */
const OUT_TO_BIN = /^(?:\.\.\/)+(?:usr\/(?:local\/)?)?s?bin\/[^/]+$/;

/**
 * Whether a program that is named by this path is the session's own, as its text says. A relative
 * one is, unless it leads up and into the image's directories of programs.
 */
export function isOwnPath(path: string): boolean {
  const clean = posix.normalize(path);
  return posix.isAbsolute(clean) ? WRITABLE.test(clean) : !OUT_TO_BIN.test(clean);
}
