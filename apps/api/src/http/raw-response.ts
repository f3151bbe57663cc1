import { STATUS_CODES } from 'node:http';
import { ERROR_TITLE, type ErrorCode } from '@sandbox/errors';
import { PROBLEM_CONTENT_TYPE, problemType } from '../errors/problem';

/** A whole HTTP response with a problem document, for a socket that has no response object. */
export function rawProblem(status: number, code: ErrorCode, detail: string, headers: readonly string[] = [], more: object = {}): string {
  const body = JSON.stringify({ type: problemType(code), title: ERROR_TITLE[code], status, detail, code, ...more });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    `Content-Type: ${PROBLEM_CONTENT_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
