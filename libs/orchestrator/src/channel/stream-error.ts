import { plainText } from './agent-answer';

/**
 * Why a stream was refused or broke off. The code is one of `StreamErrorCode`, or what the agent
 * says: capital letters and `_`.
 */
export class StreamError extends Error {
  constructor(
    readonly code: string,
    detail: string,
  ) {
    super(detail);
    this.name = 'StreamError';
  }
}

/** The codes that this side gives. */
export const StreamErrorCode = {
  /** Nobody here takes streams of that kind. */
  STREAM_REFUSED: 'STREAM_REFUSED',
  TOO_MANY_STREAMS: 'TOO_MANY_STREAMS',
  /** Nothing has moved for the idle limit. */
  STREAM_IDLE: 'STREAM_IDLE',
  /** This side has destroyed the stream. */
  STREAM_CLOSED: 'STREAM_CLOSED',
  /** The channel is closed. */
  SANDBOX_LOST: 'SANDBOX_LOST',
} as const;

/**
 * Reads the payload of a RESET frame.
 * @returns null if it is malformed
 */
export function parseReset(value: Record<string, unknown> | null): StreamError | null {
  if (value === null || typeof value.code !== 'string' || typeof value.detail !== 'string') return null;
  if (!/^[A-Z_]{1,40}$/.test(value.code)) return null;
  return new StreamError(value.code, plainText(value.detail));
}

/** Returns the payload of a RESET frame. The detail is cut to what the agent takes. */
export function formatReset({ code, message }: StreamError): string {
  return JSON.stringify({ code, detail: plainText(message) });
}
