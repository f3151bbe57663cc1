const MAX_SHOWN_CHARACTERS = 40;

/**
 * Describes, for a refusal, what a caller gave for a field.
 * @param showsText whether a short text is shown. A command, a variable or the content of a file
 *   may be a secret.
 */
export function whatCame(value: unknown, showsText: boolean): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return 'nothing';
  const length = characterCount(value);
  return showsText && length <= MAX_SHOWN_CHARACTERS ? JSON.stringify(value.toWellFormed()) : `a text of ${length} characters`;
}

/** Counts the Unicode characters of a text, not its UTF-16 units. */
export function characterCount(text: string): number {
  let count = 0;
  for (const _character of text) count++;
  return count;
}
