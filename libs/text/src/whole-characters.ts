/**
 * All code cuts text with these functions. A character outside the BMP is two UTF-16 units, a pair
 * of surrogates. Half a pair has no UTF-8, and a strict client refuses an answer that holds one.
 */

/**
 * @returns the first `most` UTF-16 units of a text, or one less if the cut would go through a
 *   character. The result is well formed, whatever the text is.
 */
export function firstCharacters(text: string, most: number): string {
  return text.slice(0, isWithinCharacter(text, most) ? most - 1 : most).toWellFormed();
}

/** @returns the last `most` UTF-16 units of a text, cut like firstCharacters */
export function lastCharacters(text: string, most: number): string {
  const start = Math.max(0, text.length - most);
  return text.slice(isWithinCharacter(text, start) ? start + 1 : start).toWellFormed();
}

function isWithinCharacter(text: string, at: number): boolean {
  return (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}
