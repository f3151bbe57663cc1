import { firstCharacters } from '@sandbox/text';

const CHARACTERS = 200;

/** The login of an address: what stands between `://` and `@`. */
const LOGIN = /:\/\/[^\s/@'"]+@/g;
/** The beginning of a login, where the text was cut. */
const CUT_LOGIN = /:\/\/[^\s/@'"]*:[^\s/@'"]*$/;
/** A line of what `git credential` reads. */
const PASSWORD = /^password=.*/gm;

/**
 * Returns the beginning of a command as the log shows it: 200 characters, without the logins and
 * passwords that programs like git take in a command.
 */
export function loggedCommand(command: string): string {
  const beginning = firstCharacters(command, CHARACTERS);
  const shown = beginning.length < command.length ? beginning.replace(CUT_LOGIN, '://***') : beginning;
  return shown.replace(LOGIN, '://***@').replace(PASSWORD, 'password=***');
}
