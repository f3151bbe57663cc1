import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { ByteRange } from '@sandbox/orchestrator';

/** An entity tag that compares strongly (RFC 9110, section 8.8.3). */
const STRONG_TAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/;

/**
 * Reads the one range of bytes that a request asks for.
 * @returns undefined, so that the whole file is sent (RFC 9110, section 14.2 allows it), if the
 *   request asks for no range, for several, for another unit or for something malformed. The same
 *   holds if its If-Range can never match: a weak tag, or a date.
 * @throws SandboxError RANGE_NOT_SATISFIABLE for the last 0 bytes, which no file has
 */
export function byteRange({ headers }: Pick<IncomingMessage, 'headers'>): ByteRange | undefined {
  const range = rangeOf(headers.range ?? '');
  const condition = (headers['if-range'] as string | undefined)?.trim();
  if (condition === undefined || range === undefined) return range;
  return STRONG_TAG.test(condition) ? { ...range, ifEtag: condition } : undefined;
}

function rangeOf(header: string): ByteRange | undefined {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header);
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (first === '' && last === '') return undefined;
  if (first === '' && Number(last) === 0) throw new SandboxError(ErrorCode.RANGE_NOT_SATISFIABLE, 'The range is empty.');
  if (first === '') return { suffix: Number(last) };
  if (last === '') return { start: Number(first) };
  return Number(last) < Number(first) ? undefined : { start: Number(first), end: Number(last) };
}
