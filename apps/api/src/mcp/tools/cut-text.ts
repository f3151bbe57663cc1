/**
 * Text of at most about so many characters for a model: its beginning and its end, with a line between that says how much is left out and
 * where to read it.
 */
export function cutText(text: string, maxCharacters: number, hint: string): string {
  if (text.length <= maxCharacters) return text;
  const head = text.slice(0, wholeEnd(text, Math.ceil(maxCharacters / 2)));
  const tail = text.slice(wholeStart(text, text.length - Math.floor(maxCharacters / 2)));
  return `${head}\n[... ${text.length - head.length - tail.length} characters left out; ${hint} ...]\n${tail}`;
}

/**
 * The beginning and the end of a text whose middle is not there, at most about so many characters
 * of both, with a line between.
 * @param between what that line says, of the beginning that is shown
 */
export function cutEnds(head: string, tail: string, maxCharacters: number, between: (head: string) => string): string {
  const first = head.slice(0, wholeEnd(head, Math.ceil(maxCharacters / 2)));
  const start = Math.max(0, tail.length - Math.floor(maxCharacters / 2));
  return `${first}\n[... ${between(first)} ...]\n${tail.slice(start === 0 ? 0 : wholeStart(tail, start))}`;
}

/** Of base64, as much of the beginning as can be decoded by itself. */
export function cutBase64(base64: string, maxCharacters: number): string {
  return base64.length <= maxCharacters ? base64 : base64.slice(0, 4 * Math.floor(maxCharacters / 4));
}

/** A cut goes through no character outside the BMP, which is two units of a string. */
function wholeEnd(text: string, at: number): number {
  return isHighSurrogate(text.charCodeAt(at - 1)) ? at - 1 : at;
}

function wholeStart(text: string, at: number): number {
  return isHighSurrogate(text.charCodeAt(at - 1)) ? at + 1 : at;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}
