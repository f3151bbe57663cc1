import type { EgressDenial } from '@sandbox/egress';

/**
 * How a connection ended.
 *
 * - `closed`: both sides ended it
 * - `reset`: one side broke it off
 * - `failed`: the server could not be reached; `detail` says why
 * - `denied`: its first bytes named another server
 * - `revoked`: the session's rules changed
 * - `byte_limit`: the session has moved as many bytes as it may
 * - `idle`: nothing moved for 10 minutes
 * - `lost`: the sandbox ended, or the API process that carried it
 */
export type ConnectionEnd = 'closed' | 'reset' | 'failed' | 'denied' | 'revoked' | 'byte_limit' | 'idle' | 'lost';

/** An outgoing connection of a session. Times are milliseconds since the epoch. */
export interface ConnectionEvent {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly openedAt: number;
  /** Null while it is open. */
  readonly endedAt: number | null;
  readonly end: ConnectionEnd | null;
  readonly detail?: string;
  /** From the server to the sandbox. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A name or connection that was refused. */
export interface DenialEvent extends EgressDenial {
  readonly at: number;
}

/** What the store keeps of a session's network, the oldest first. */
export interface NetworkHistory {
  readonly connections: ConnectionEvent[];
  readonly denials: DenialEvent[];
}

const MAX_TOLD = 200;

export function formatConnection(event: ConnectionEvent): string {
  return JSON.stringify({ connection: event });
}

export function formatDenial(event: DenialEvent): string {
  return JSON.stringify({ denial: event });
}

/**
 * Reads the texts that the store has kept, and leaves out what is damaged. A connection is written
 * when it begins and when it ends, and the later text counts.
 */
export function parseHistory(texts: readonly string[]): NetworkHistory {
  const connections = new Map<string, ConnectionEvent>();
  const denials: DenialEvent[] = [];
  for (const text of texts) {
    const { connection, denial } = parseEvent(text);
    if (connection !== undefined) {
      connections.delete(connection.id);
      connections.set(connection.id, connection);
    }
    if (denial !== undefined) denials.push(denial);
  }
  return { connections: [...connections.values()].slice(-MAX_TOLD), denials: denials.slice(-MAX_TOLD) };
}

function parseEvent(text: string): { connection?: ConnectionEvent; denial?: DenialEvent } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
