/** The leave to reach one port of a session's sandbox, for whoever has the grant's token. */
export interface PortGrant {
  /** SessionRef.key of the session. */
  readonly key: string;
  /** The sandbox that the session had when the grant was made. It holds for no other one. */
  readonly containerId: string;
  readonly port: number;
  /** When the grant ends, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * The grants of all sessions. Their ids are digests of tokens, so nobody who reads them can use
 * one.
 */
export interface PortGrants {
  /**
   * Notes a grant until it expires. A session has at most MAX_PORT_GRANTS: one more takes the place
   * of the one that ends first.
   * @param now what `now()` returned
   */
  addPortGrant(id: string, grant: PortGrant, now: number): Promise<void>;
  /** @returns null if there is no such grant (any more) */
  findPortGrant(id: string, now: number): Promise<PortGrant | null>;
  /** Removes all grants of one port of a session. */
  removePortGrants(key: string, port: number): Promise<void>;
}

/** The most grants that a session has at a time. */
export const MAX_PORT_GRANTS = 64;

/** Writes a grant as text. */
export function formatPortGrant({ key, containerId, port, expiresAt }: PortGrant): string {
  return JSON.stringify([key, containerId, port, expiresAt]);
}

/**
 * Reads what `formatPortGrant` wrote.
 * @returns null if the text is something else
 */
export function parsePortGrant(text: string): PortGrant | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const [key, containerId, port, expiresAt] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof key !== 'string' || typeof containerId !== 'string') return null;
  if (!Number.isSafeInteger(port) || !Number.isSafeInteger(expiresAt)) return null;
  return { key, containerId, port: port as number, expiresAt: expiresAt as number };
}
