/** A path in a sandbox, written `SESSION:PATH` or `:PATH`. */
export interface RemotePath {
  session: string | undefined;
  path: string;
}

/** @returns undefined if the text names a file of this machine */
export function remotePath(text: string): RemotePath | undefined {
  const [, session, path] = /^([^:/.][^:/]*)?:([^]*)$/.exec(text) ?? [];
  return path === undefined ? undefined : { session, path };
}

/** Quotes words so that a shell takes each as one. */
export function commandLine(words: readonly string[]): string {
  if (words.length === 1) return words[0]!; // a whole command line
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}
