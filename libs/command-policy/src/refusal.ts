import { firstCharacters } from '@sandbox/text';

export const NOT_LISTED = 'it is not on the list of allowed programs';

/**
 * The reason why a script is refused. It is thrown inside the policy and becomes a SandboxError at
 * its edge.
 */
export class Refusal extends Error {
  /** @param offset UTF-16 units from the start of the script */
  constructor(
    readonly word: string,
    readonly offset: number,
    readonly reason: string,
  ) {
    super(reason);
  }
}

const WORD_LIMIT = 100;

/**
 * Quotes a word of a script for a refusal. Cuts it at 100 characters and escapes what would disturb
 * a terminal or a log line.
 */
export function quoteWord(word: string): string {
  const cut = word.length > WORD_LIMIT ? `${firstCharacters(word, WORD_LIMIT)}…` : word;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

/**
 * Finds a position in a script. Line and column count from 1; column and offset are UTF-16 units.
 */
export function positionAt(script: string, offset: number): { line: number; column: number; offset: number } {
  const before = script.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1, offset };
}
