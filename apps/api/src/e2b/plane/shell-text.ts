/** The program of a process, as E2B's calls give it. */
export interface ProcessConfig {
  readonly cmd: string;
  readonly args?: readonly string[];
}

const SHELL = /^(?:\/usr)?(?:\/bin\/)?(?:ba)?sh$/;
const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,./-]+$/;

/**
 * Returns the shell text of a process. The SDKs send `/bin/bash -l -c TEXT`, and TEXT is what the
 * policy has to judge and what this service runs. Anything else becomes a command line that says
 * the same.
 */
export function shellText({ cmd, args = [] }: ProcessConfig): string {
  return textOfShell(cmd, args) ?? [cmd, ...args].map(quoted).join(' ');
}

/** Whether the process is a shell for somebody who types, as the SDKs start it in a terminal. */
export function isInteractiveShell({ cmd, args = [] }: ProcessConfig): boolean {
  return SHELL.test(cmd) && args.every((arg) => /^-[il]+$/.test(arg));
}

function textOfShell(cmd: string, args: readonly string[]): string | undefined {
  if (!SHELL.test(cmd)) return undefined;
  const [text] = args.slice(-1);
  const flags = args.slice(0, -1);
  const runsText = flags.length > 0 && flags.every((flag) => /^-[lic]+$/.test(flag)) && flags.at(-1)!.endsWith('c');
  return runsText && flags.filter((flag) => flag.includes('c')).length === 1 ? text : undefined;
}

function quoted(word: string): string {
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
