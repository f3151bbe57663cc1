import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { logFailure } from '../../problems/log-failure';
import { toProblem, toSandboxError } from '../../problems/problem';

/**
 * Makes the result of a failed call, with the code and detail that REST answers. The problem
 * document goes into _meta. In structuredContent, clients would check it against the tool's output
 * schema, even for errors.
 */
export function toolError(exception: unknown, requestId: string): CallToolResult {
  const error = toSandboxError(exception);
  logFailure(error, requestId);
  const wait = error.retryAfter === undefined ? '' : ` Try again after ${Math.ceil(error.retryAfter)} s.`;
  // `allowed` holds hundreds of names. The text says enough, and REST's document lists them.
  const { allowed: _allowed, ...problem } = toProblem(error, requestId);
  const text = `${error.code}: ${error.message}${wait}`;
  return { isError: true, content: [{ type: 'text', text }], _meta: { problem } };
}
