import type { IncomingMessage } from 'node:http';
import { JSONRPCMessageSchema, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { isObject } from '@sandbox/text';
import { fromJson } from './json-text';

/**
 * Reads what has to be known of a JSON-RPC message before the server takes it. The message may be
 * anything.
 */

export const CLIENT_ID_HEADER = 'Mcp-Session-Id';

/**
 * Reads a message as its client means it. Some clients send null for what they leave out (`params`,
 * `arguments`, `_meta`, `cursor`). Some send `arguments` as the JSON text that their model gave.
 * @returns null if it is no JSON-RPC
 */
export function readMessage(body: unknown): JSONRPCMessage | null {
  const parsed = JSONRPCMessageSchema.safeParse(asMeant(body));
  return parsed.success ? parsed.data : null;
}

/**
 * @returns the id that `initialize` gave the client; null if the client sends none or an impossible
 *   one
 */
export function clientId(request: IncomingMessage): string | null {
  const id = request.headers['mcp-session-id'];
  return typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id) ? id : null;
}

/** @returns the id of the request that the message cancels; null if it cancels none */
export function cancelledRequest(message: JSONRPCMessage): string | number | null {
  if (!('method' in message) || message.method !== 'notifications/cancelled') return null;
  const requestId: unknown = message.params?.requestId;
  return typeof requestId === 'string' || typeof requestId === 'number' ? requestId : null;
}

/**
 * Removes `params` if it is null, and the members of `params` and of its `_meta` that are null. If
 * `arguments` is the JSON text of an object, the object takes its place.
 */
function asMeant(message: unknown): unknown {
  if (!isObject(message) || !('params' in message)) return message;
  const { params, ...rest } = message;
  if (params === null) return rest;
  if (!isObject(params)) return message;
  const kept = withoutNullMembers(params);
  if (isObject(kept._meta)) kept._meta = withoutNullMembers(kept._meta);
  if ('arguments' in kept) kept.arguments = fromJson(kept.arguments, isObject);
  return { ...rest, params: kept };
}

function withoutNullMembers(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

/**
 * Whether the server can send back what the protocol requires: the request's id and its progress
 * token. Half of a surrogate pair has no UTF-8, so it cannot be sent.
 */
export function canBeAnswered(message: JSONRPCMessage): boolean {
  const id: unknown = 'id' in message ? message.id : undefined;
  const token: unknown = 'params' in message ? message.params?._meta?.progressToken : undefined;
  return [id, token].every((value) => typeof value !== 'string' || value.isWellFormed());
}
