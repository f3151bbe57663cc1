import type { IncomingMessage } from 'node:http';

/** What has to be known of a JSON-RPC message before the SDK reads it. It is a client's, and may be anything. */

export const CLIENT_ID_HEADER = 'Mcp-Session-Id';

/** The id that `initialize` gave the client; null of one that sends none, or something that cannot be one. */
export function clientId(request: IncomingMessage): string | null {
  const id = request.headers['mcp-session-id'];
  return typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id) ? id : null;
}

export function isInitialize(message: unknown): boolean {
  return member(message, 'method') === 'initialize';
}

export function toolCallId(message: unknown): string | number | null {
  return member(message, 'method') === 'tools/call' ? requestId(member(message, 'id')) : null;
}

/** Of the request that the message cancels; null where it cancels none. */
export function cancelledRequest(message: unknown): string | number | null {
  const cancels = member(message, 'method') === 'notifications/cancelled';
  return cancels ? requestId(member(member(message, 'params'), 'requestId')) : null;
}

export function wantsProgress(message: unknown): boolean {
  const token = member(member(member(message, 'params'), '_meta'), 'progressToken');
  return toolCallId(message) !== null && requestId(token) !== null;
}

function requestId(value: unknown): string | number | null {
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
