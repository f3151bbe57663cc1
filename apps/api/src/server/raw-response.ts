import { STATUS_CODES } from 'node:http';
import { type Problem, PROBLEM_CONTENT_TYPE } from '../problems/problem';
import { REQUEST_ID_HEADER } from '../request/request-id';

/**
 * Builds a whole HTTP response with a problem document, for a socket that has no response object.
 */
export function rawProblem(problem: Problem, headers: readonly string[] = []): string {
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    'Connection: close',
    `Content-Type: ${PROBLEM_CONTENT_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `${REQUEST_ID_HEADER}: ${problem.request_id}`,
    ...headers,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
