import type { Duplex } from 'node:stream';
import type { PortGrant, SessionRecord, SessionStore } from '@sandbox/sessions';
import { tooManyConnections } from './connect-port';

/**
 * How long a grant holds after a look into the store. So a grant that another process revokes ends
 * at most so much later, and a page with a hundred files asks the store once.
 */
const CHECK_MS = 2_000;
/**
 * The most connections of one API process to the ports of a session, and of all sessions of a user.
 */
const MAX_OF_SESSION = 128;
const MAX_OF_USER = 256;

/**
 * A grant as this process uses it. Without a sandbox's id it holds for whichever the session has.
 */
export type Leave = Omit<PortGrant, 'containerId'> & { readonly containerId: string | null };

/** A grant that somebody uses, and the live session that it is about. */
export interface GrantInUse {
  readonly id: string;
  readonly grant: Leave;
  readonly record: SessionRecord;
}

interface Entry {
  use: GrantInUse;
  /** Looks the grant up again. */
  readonly find: () => Promise<Leave | null>;
  /** When the store was last asked, by this process's clock. */
  checkedAt: number;
  readonly streams: Set<Duplex>;
  /** How many connections are being made. */
  connecting: number;
}

/**
 * The grants that this process uses, and the connections that are open by them. Each look into the
 * store counts as a use of the session, and makes no session. If a grant does not hold any more,
 * its connections are broken off.
 */
export class GrantsInUse {
  private readonly entries = new Map<string, Entry>();
  private readonly checks = new Map<string, Promise<GrantInUse | null>>();
  /** Open connections by SessionRef.key and SessionRef.userKey. */
  private readonly counts = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  /** How often grants have been ended. A look into the store that began before may be outdated. */
  private endings = 0;
  private totalCount = 0;
  private openCount = 0;

  constructor(private readonly store: Pick<SessionStore, 'now' | 'updateSession'>) {
    this.timer = setInterval(() => void this.checkAll(), CHECK_MS).unref();
  }

  /** How many connections are open, and how many there have been. */
  get state(): { open: number; total: number } {
    return { open: this.openCount, total: this.totalCount };
  }

  /**
   * Uses a grant.
   * @param find looks the grant up; null if there is none
   * @returns null if the grant does not hold: it has ended, or its session is not live, or the
   *   session has another sandbox by now
   */
  async enter(id: string, find: () => Promise<Leave | null>): Promise<GrantInUse | null> {
    const known = this.entries.get(id);
    if (known === undefined || performance.now() - known.checkedAt >= CHECK_MS) return this.check(id, find);
    if (known.use.grant.expiresAt > this.store.now()) return known.use;
    this.end(id);
    return null;
  }

  /**
   * Opens a connection, which ends with the grant.
   * @throws SandboxError TOO_MANY_CONNECTIONS; what `connect` throws
   * @returns null if the grant ended meanwhile
   */
  async connect({ id, record: { ref } }: GrantInUse, connect: () => Promise<Duplex>): Promise<Duplex | null> {
    const { key, userKey } = ref;
    if (this.countOf(key) >= MAX_OF_SESSION)
      throw tooManyConnections(`The session has ${MAX_OF_SESSION} connections to its ports already.`);
    if (this.countOf(userKey) >= MAX_OF_USER) throw tooManyConnections(`You have ${MAX_OF_USER} connections to ports already.`);
    const entry = this.entries.get(id);
    if (entry === undefined) return null;
    const counted = [key, userKey];
    this.count(counted, 1);
    entry.connecting += 1;
    try {
      const stream = await connect();
      this.totalCount += 1;
      entry.streams.add(stream);
      stream.once('close', () => {
        entry.streams.delete(stream);
        this.count(counted, -1);
      });
      if (this.entries.get(id) === entry) return stream;
      stream.destroy();
      return null;
    } catch (error) {
      this.count(counted, -1);
      throw error;
    } finally {
      entry.connecting -= 1;
    }
  }

  /** Ends the grants that match, and their connections. */
  endWhere(matches: (use: GrantInUse) => boolean): void {
    this.endings += 1;
    for (const [id, { use }] of this.entries) if (matches(use)) this.end(id);
  }

  close(): void {
    clearInterval(this.timer);
    this.endWhere(() => true);
  }

  private end(id: string): void {
    const entry = this.entries.get(id);
    this.entries.delete(id);
    for (const stream of entry?.streams ?? []) stream.destroy();
  }

  /** Asks the store once for all who ask at the same time. */
  private check(id: string, find: () => Promise<Leave | null>): Promise<GrantInUse | null> {
    const others = this.checks.get(id);
    if (others) return others;
    const checking = this.ask(id, find).finally(() => this.checks.delete(id));
    this.checks.set(id, checking);
    return checking;
  }

  private async ask(id: string, find: () => Promise<Leave | null>): Promise<GrantInUse | null> {
    const { endings } = this;
    const grant = await find();
    const holds = grant !== null && grant.expiresAt > this.store.now();
    const record = holds ? await this.store.updateSession(grant.key, {}, this.store.now()) : null;
    if (endings !== this.endings) return this.ask(id, find);
    const isSame = record?.containerId != null && (grant?.containerId ?? record.containerId) === record.containerId;
    if (grant === null || record === null || !isSame) {
      this.end(id);
      return null;
    }
    const use = { id, grant, record };
    const checkedAt = performance.now();
    const known = this.entries.get(id);
    if (known === undefined) this.entries.set(id, { use, find, checkedAt, streams: new Set(), connecting: 0 });
    else Object.assign(known, { use, checkedAt });
    return use;
  }

  /** Looks after open connections, and forgets grants that nobody uses. */
  private async checkAll(): Promise<void> {
    const now = this.store.now();
    for (const [id, { use, find, streams, connecting, checkedAt }] of this.entries) {
      if (use.grant.expiresAt <= now) this.end(id);
      else if (streams.size + connecting > 0) await this.check(id, find).catch(() => undefined);
      else if (performance.now() - checkedAt >= CHECK_MS) this.entries.delete(id);
    }
  }

  private countOf(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  private count(names: readonly string[], by: 1 | -1): void {
    this.openCount += by;
    for (const name of names) {
      const count = this.countOf(name) + by;
      if (count === 0) this.counts.delete(name);
      else this.counts.set(name, count);
    }
  }
}
