/**
 * Text is cut by these functions alone. A character outside the BMP is two units of a string, a
 * pair of surrogates. Half a pair has no UTF-8, and a strict client refuses the answer it is in.
 */

/**
 * Returns the first `most` units of a text, or one less if the cut would go through a character.
 * The result is well formed, whatever the text is.
 */
export function firstCharacters(text: string, most: number): string {
  return text.slice(0, isWithinCharacter(text, most) ? most - 1 : most).toWellFormed();
}

/** Returns the last `most` units of a text, in the way of firstCharacters. */
export function lastCharacters(text: string, most: number): string {
  const start = Math.max(0, text.length - most);
  return text.slice(isWithinCharacter(text, start) ? start + 1 : start).toWellFormed();
}

function isWithinCharacter(text: string, at: number): boolean {
  return (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}
