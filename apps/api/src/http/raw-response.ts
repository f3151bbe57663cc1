import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { ERROR_TITLE, type ErrorCode } from '@sandbox/errors';
import { PROBLEM_CONTENT_TYPE, problemType } from '../errors/problem';
import { REQUEST_ID_HEADER } from './request-id';

interface RawProblemOptions {
  readonly requestId?: string;
  readonly headers?: readonly string[];
  /** Members of the document beside the usual ones. */
  readonly more?: object;
}

/** A whole HTTP response with a problem document, for a socket that has no response object. */
export function rawProblem(
  status: number,
  code: ErrorCode,
  detail: string,
  { requestId: request_id = randomUUID(), headers = [], more }: RawProblemOptions = {},
): string {
  const body = JSON.stringify({ ...more, type: problemType(code), title: ERROR_TITLE[code], status, detail, code, request_id });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    `Content-Type: ${PROBLEM_CONTENT_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `${REQUEST_ID_HEADER}: ${request_id}`,
    ...headers,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
