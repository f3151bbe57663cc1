import { firstCharacters, lastCharacters } from '@sandbox/text';

/**
 * Text of at most about so many characters for a model: its beginning and its end, with a line between that says how much is left out and
 * where to read it.
 */
export function cutText(text: string, maxCharacters: number, hint: string): string {
  if (text.length <= maxCharacters) return text;
  const head = firstCharacters(text, Math.ceil(maxCharacters / 2));
  const tail = lastCharacters(text, Math.floor(maxCharacters / 2));
  return `${head}\n[... ${text.length - head.length - tail.length} characters left out; ${hint} ...]\n${tail}`;
}

/**
 * The beginning and the end of a text whose middle is not there, at most about so many characters
 * of both, with a line between.
 * @param between what that line says, of the beginning that is shown
 */
export function cutEnds(head: string, tail: string, maxCharacters: number, between: (head: string) => string): string {
  const first = firstCharacters(head, Math.ceil(maxCharacters / 2));
  return `${first}\n[... ${between(first)} ...]\n${lastCharacters(tail, Math.floor(maxCharacters / 2))}`;
}

/** Of base64, as much of the beginning as can be decoded by itself. */
export function cutBase64(base64: string, maxCharacters: number): string {
  return base64.length <= maxCharacters ? base64 : base64.slice(0, 4 * Math.floor(maxCharacters / 4));
}
