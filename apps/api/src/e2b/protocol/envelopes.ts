import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Type } from '@nestjs/common';
import { requireIdentityEncoding } from '../../request/body-headers';
import { MAX_JSON_BYTES, parseJson } from '../../request/json-body';
import { readBytes } from '../../request/read-bytes';
import { validateDto } from '../../validation/validate-dto';
import type { ConnectCode } from './error-status';

/*
 * The streaming form of the Connect protocol with JSON. Each message is in an envelope: one byte of
 * flags, four bytes with the length (big endian), then JSON. The last envelope of an answer has the
 * flag END_STREAM, and says how the call ended.
 */

export const CONNECT_STREAM = 'application/connect+json';

const HEADER_BYTES = 5;
const PLAIN = 0x00;
const END_STREAM = 0x02;

/**
 * Reads the one message of a call whose answer is a stream.
 * @throws SandboxError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, BAD_REQUEST, VALIDATION_FAILED
 */
export async function readEnvelope<T extends object>(request: IncomingMessage, dto: Type<T>): Promise<T> {
  requireIdentityEncoding(request);
  if (!new RegExp(`^${CONNECT_STREAM.replace('+', '\\+')}\\s*(;|$)`, 'i').test(request.headers['content-type'] ?? '')) {
    throw new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, `The body has to be ${CONNECT_STREAM}.`);
  }
  if ((request.headers['connect-content-encoding'] ?? 'identity') !== 'identity') {
    throw new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, 'A compressed message (Connect-Content-Encoding) is not supported.');
  }
  return validateDto(dto, parseJson(onlyMessage(await readBytes(request, MAX_JSON_BYTES + HEADER_BYTES))));
}

/**
 * Takes the message out of a body with exactly one envelope.
 * @throws SandboxError BAD_REQUEST
 */
export function onlyMessage(body: Buffer): Buffer {
  const isWhole = body.length >= HEADER_BYTES && body.readUInt32BE(1) === body.length - HEADER_BYTES;
  if (!isWhole || body[0] !== PLAIN) {
    throw new SandboxError(ErrorCode.BAD_REQUEST, 'The body has to be one message in a whole envelope that is not compressed.');
  }
  return body.subarray(HEADER_BYTES);
}

/** Builds the envelope of a message. */
export function messageFrame(message: object): Buffer {
  return frame(PLAIN, message);
}

/** Builds the last envelope of an answer. */
export function endFrame(error?: { code: ConnectCode; message: string }): Buffer {
  return frame(END_STREAM, error === undefined ? {} : { error });
}

function frame(flags: number, value: object): Buffer {
  const json = JSON.stringify(value);
  const length = Buffer.byteLength(json);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + length);
  bytes[0] = flags;
  bytes.writeUInt32BE(length, 1);
  bytes.write(json, HEADER_BYTES);
  return bytes;
}
