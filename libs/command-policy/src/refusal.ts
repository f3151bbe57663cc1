import { firstCharacters } from '@sandbox/text';

export const NOT_LISTED = 'it is not on the list of allowed programs';

/** Why a script is refused: thrown inside the policy, turned into a SandboxError at its edge. */
export class Refusal extends Error {
  /** @param offset UTF-16 units from the start of the script. */
  constructor(
    readonly word: string,
    readonly offset: number,
    readonly reason: string,
  ) {
    super(reason);
  }
}

const WORD_LIMIT = 100;

/** What a refusal quotes of a script: cut at 100 characters, with what would disturb a terminal or a log line escaped. */
export function quoteWord(word: string): string {
  const cut = word.length > WORD_LIMIT ? `${firstCharacters(word, WORD_LIMIT)}…` : word;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

/** Line and column count from 1, the column and the offset in UTF-16 units. */
export function positionAt(script: string, offset: number): { line: number; column: number; offset: number } {
  const before = script.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1, offset };
}
