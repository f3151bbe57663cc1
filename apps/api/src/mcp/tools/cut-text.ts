import { firstCharacters, lastCharacters } from '@sandbox/text';

/**
 * Cuts a text to about `maxCharacters` for a model. Keeps the beginning and the end. A line between
 * says how much is left out.
 * @param hint where to read the rest
 */
export function cutText(text: string, maxCharacters: number, hint: string): string {
  if (text.length <= maxCharacters) return text;
  const head = firstCharacters(text, Math.ceil(maxCharacters / 2));
  const tail = lastCharacters(text, Math.floor(maxCharacters / 2));
  return `${head}\n[... ${text.length - head.length - tail.length} characters left out; ${hint} ...]\n${tail}`;
}

/**
 * Joins the beginning and the end of a text whose middle is missing, about `maxCharacters` of both.
 * @param between says what is missing, given the beginning that is shown
 */
export function cutEnds(head: string, tail: string, maxCharacters: number, between: (head: string) => string): string {
  const first = firstCharacters(head, Math.ceil(maxCharacters / 2));
  return `${first}\n[... ${between(first)} ...]\n${lastCharacters(tail, Math.floor(maxCharacters / 2))}`;
}

/** Cuts base64 so that the rest can be decoded by itself. */
export function cutBase64(base64: string, maxCharacters: number): string {
  return base64.length <= maxCharacters ? base64 : base64.slice(0, 4 * Math.floor(maxCharacters / 4));
}
