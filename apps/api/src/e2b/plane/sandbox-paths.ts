/** Where the files of E2B's sandboxes are, and their commands begin. */
const E2B_HOME = /^(?:\/home\/user|~)(?=\/|$)/;
const HOME = '/workspace';

/**
 * Translates a path. E2B's home directory, however it is written, is /workspace here. Any other
 * path stays as it is, and the services say whether it can be had.
 */
export function ownPath(path: string): string {
  return path.replace(E2B_HOME, HOME);
}

/** @param path relative to /workspace, without empty names and dots; '' is the root */
export function shownPath(path: string): string {
  return path === '' ? HOME : `${HOME}/${path}`;
}
