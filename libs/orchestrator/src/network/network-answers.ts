import type { EgressDenial } from '@sandbox/egress';
import type { ConnectionEnd, ConnectionEvent, DenialEvent } from '../outgoing/network-events';

/** A connection as the API tells of it. Times are ISO 8601 in UTC. */
export interface TellConnection {
  host: string;
  port: number;
  opened_at: string;
  /** Null while it is open. */
  ended_at: string | null;
  end: ConnectionEnd | null;
  detail?: string;
  /** From the server to the sandbox, known once the connection has ended. */
  bytes_in: number;
  bytes_out: number;
}

/** A refusal as the API tells of it. */
export interface TellDenial extends EgressDenial {
  at: string;
}

/** What GET /sessions/{id}/network answers. */
export interface NetworkInfo {
  session_id: string;
  /** The rules that hold. */
  allow: string[];
  /** Whether these are the deployment's, because the session was given none. */
  is_default: boolean;
  /** Bytes that the session has moved, in and out together. */
  bytes: number;
  /** Null if there is no limit. */
  max_bytes: number | null;
  /** The last 200, the oldest first. */
  connections: TellConnection[];
  /** The last 200, the oldest first. */
  denials: TellDenial[];
}

/** What POST /network/check answers. */
export interface NetworkCheck {
  allowed: boolean;
  /** Why not. Absent if it is allowed. */
  reason?: string;
  /** The rule that would allow it, if the operator offers it. */
  rule?: string;
}

export function tellConnection({ host, port, openedAt, endedAt, end, detail, bytesIn, bytesOut }: ConnectionEvent): TellConnection {
  return {
    host,
    port,
    opened_at: isoTime(openedAt),
    ended_at: endedAt === null ? null : isoTime(endedAt),
    end,
    ...(detail !== undefined && { detail }),
    bytes_in: bytesIn,
    bytes_out: bytesOut,
  };
}

export function tellDenial({ at, host, port, reason, rule }: DenialEvent): TellDenial {
  return { at: isoTime(at), host, port, reason, ...(rule !== undefined && { rule }) };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
