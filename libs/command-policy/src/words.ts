import type { Assignment, CommandArgument, Word, WordPart } from 'unbash';

const PLAIN = /^[\w.+/,:@%-]+$/;

/**
 * @returns a word's value after quote removal; undefined if the text alone does not tell it (an
 *   expansion, a glob, a brace, a tilde)
 */
export function literalValue(word: CommandArgument): string | undefined {
  if (PLAIN.test(word.text)) return word.text;
  if (word.type === 'Assignment') return literalAssignment(word);
  if (word.text.startsWith('~')) return undefined;
  const parts = word.parts;
  if (parts === undefined) return word.value;
  return parts.every(isLiteralPart) ? word.value : undefined;
}

function literalAssignment(word: Assignment): string | undefined {
  if (word.value.type === 'ArrayValue' || word.index) return undefined;
  const value = literalValue(word.value);
  return value === undefined ? undefined : `${word.name}${word.append ? '+' : ''}=${value}`;
}

export function isLiteralPart(part: WordPart): boolean {
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return true;
    case 'DoubleQuoted':
    case 'LocaleString':
      return part.parts.every(isLiteralPart);
    default:
      return false;
  }
}

/**
 * Whether the word is one argument, whatever its expansions give. It is neither split at blanks nor
 * matched against files.
 */
export function isOneField(word: Word): boolean {
  if (literalValue(word) !== undefined) return true;
  return (word.parts ?? []).every(isUnsplit);
}

/**
 * Whether each argument that a shell makes of the word begins as its text does. File names that
 * match a glob do. But a shell splits an unquoted expansion at blanks, so `x` alone decides a
 * second argument of `a$x`.
 */
export function keepsItsBeginning(word: Word): boolean {
  return (word.parts ?? []).every(
    (part) => isUnsplit(part) || part.type === 'Glob' || (part.type === 'BraceExpansion' && !/[$`]/.test(part.text)),
  );
}

function isUnsplit(part: WordPart): boolean {
  if (isLiteralPart(part) || part.type === 'ArithmeticExpansion') return true;
  return part.type === 'DoubleQuoted' && !/\$\{?[@!]|\[[@*]\]/.test(part.text);
}
