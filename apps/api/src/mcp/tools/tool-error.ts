import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { logFailure } from '../../problems/log-failure';
import { toProblem, toSandboxError } from '../../problems/problem';

/**
 * A failed call, with the code and detail that REST answers. The problem document goes in _meta and not in structuredContent, which
 * clients check against the tool's output schema, on errors too.
 */
export function toolError(exception: unknown, requestId: string): CallToolResult {
  const error = toSandboxError(exception);
  logFailure(error, requestId);
  const wait = error.retryAfter === undefined ? '' : ` Try again after ${Math.ceil(error.retryAfter)} s.`;
  // Hundreds of names, of which the text says enough: REST's document lists them.
  const { allowed: _allowed, ...problem } = toProblem(error, requestId);
  const text = `${error.code}: ${error.message}${wait}`;
  return { isError: true, content: [{ type: 'text', text }], _meta: { problem } };
}
