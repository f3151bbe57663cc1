import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { ByteRange } from '@sandbox/orchestrator';

/**
 * The one range of bytes that a request asks for. Undefined, so that the whole file is sent, as RFC 9110 section 14.2 allows, where it asks
 * for none, for several, for another unit, for something malformed, or only if the file is still what it was (If-Range).
 * @throws SandboxError RANGE_NOT_SATISFIABLE for the last 0 bytes, which no file has
 */
export function byteRange({ headers }: Pick<IncomingMessage, 'headers'>): ByteRange | undefined {
  if (headers['if-range'] !== undefined) return undefined;
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(headers.range ?? '');
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (first === '' && last === '') return undefined;
  if (first === '' && Number(last) === 0) throw new SandboxError(ErrorCode.RANGE_NOT_SATISFIABLE, 'The range is empty.');
  if (first === '') return { suffix: Number(last) };
  if (last === '') return { start: Number(first) };
  return Number(last) < Number(first) ? undefined : { start: Number(first), end: Number(last) };
}
