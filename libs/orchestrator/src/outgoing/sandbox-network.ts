import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { DialError, type EgressDenial, normalizeName } from '@sandbox/egress';
import type { SessionNetworkRules, SessionRecord } from '@sandbox/sessions';
import type { Channel } from '../channel/channel';
import { StreamError } from '../channel/stream-error';
import type { StreamOffer } from '../channel/stream-set';
import { answerNames, type NameAnswer } from './name-questions';
import type { DenialEvent } from './network-events';
import { OutgoingConnection, RefusedError } from './outgoing-connection';
import { OutgoingLog } from './outgoing-log';
import type { OutgoingNetwork } from './outgoing-network';
import { outgoingRules, type OutgoingRules } from './outgoing-rules';
import { Pace } from './pace';

const MAX_CONNECTIONS = 128;
const NEW_CONNECTIONS_PER_SECOND = 100;
/** So many names may be in use. One that nobody has asked for so long is not. */
const MAX_NAMES = 256;
const NAME_IDLE_MS = 60_000;
const IDLE_MS = 600_000;
/** Rules that another process has changed hold here after so long. */
const RULES_AGE_MS = 1_000;
/** How long until the host asks again for the sandbox's resolver, if another process has it. */
const RESOLVER_RETRY_MS = 1_000;
/**
 * Ports on which a program is told why it cannot connect, although its rules do not have them. On
 * other ports the sandbox's own kernel refuses the connection.
 */
const USUAL_PORTS = [22, 80, 443];
/** The agent takes so many for a name (agent/PROTOCOL.md, "resolver"). */
const MAX_PORTS = 16;

interface Live {
  readonly connection: OutgoingConnection;
  /** Bytes that the log knows of. */
  counted: number;
}

/**
 * What one sandbox may reach, for one API process: it answers the agent's questions for names, and
 * carries the connections that come. Every decision is made here, from the session's rules, since
 * the sandbox's agent may lie.
 *
 * Of several processes that have a channel into a sandbox, one gets the sandbox's resolver, and
 * with it all connections. The others wait for it.
 */
export class SandboxNetwork {
  private readonly log: OutgoingLog;
  private readonly live = new Map<string, Live>();
  /** When each name was last allowed, the longest ago first. */
  private readonly names = new Map<string, number>();
  private readonly pace = new Pace(NEW_CONNECTIONS_PER_SECOND, NEW_CONNECTIONS_PER_SECOND);
  private given: SessionNetworkRules | null | undefined;
  private rules: OutgoingRules | null = null;
  private rulesAt = 0;
  private resolver: Duplex | null = null;
  private serves = false;
  /** Runs while connections live. */
  private clock: NodeJS.Timeout | null = null;

  constructor(
    private readonly network: OutgoingNetwork,
    private record: SessionRecord,
    private readonly channel: Channel,
  ) {
    this.log = new OutgoingLog(network.store, record.ref, () => this.record.generation);
    channel.onStream((offer) => void this.takeStream(offer));
    void channel.closed.then(() => this.end());
  }

  /** The rules that the session was given; null: the deployment's default. */
  get givenRules(): SessionNetworkRules | null {
    return this.given ?? null;
  }

  /**
   * Follows the rules of the session. If the record has others than before, the store is asked,
   * because the record of a call may be older than the last change.
   * @returns nothing if all is as before; else a promise that resolves once the rules hold and the
   * sandbox's resolver has started, and rejects if the store cannot be asked
   */
  follow(record: SessionRecord): Promise<void> | undefined {
    this.record = record;
    if (!isDeepStrictEqual(this.given, record.network)) return this.readRules();
    this.rulesAt = performance.now();
    return undefined;
  }

  /** The time of the store's clock. */
  now(): number {
    return this.network.store.now();
  }

  /** Returns the denials since a time of the store's clock, the oldest first. */
  async denialsSince(at: number): Promise<DenialEvent[]> {
    if (this.rules === null) return [];
    // Without the resolver, another process is told of them.
    return this.resolver === null ? this.allDenialsSince(at) : this.log.denialsSince(at);
  }

  /** Returns the denials of all processes since a time; none if the store is away. */
  async allDenialsSince(at: number): Promise<DenialEvent[]> {
    if (this.rules === null) return [];
    await this.log.flush();
    return this.log.allDenialsSince(at).catch(() => []);
  }

  /** Writes to the store what it does not have yet, so that it can be read there. */
  async flush(): Promise<void> {
    this.countBytes();
    await this.log.flush();
  }

  private end(): void {
    this.stopClock();
    void this.flush();
  }

  private stopClock(): void {
    if (this.clock !== null) clearInterval(this.clock);
    this.clock = null;
  }

  private async tick(): Promise<void> {
    this.countBytes();
    const { EGRESS_MAX_BYTES } = this.network.config;
    if (EGRESS_MAX_BYTES > 0 && this.log.bytes >= EGRESS_MAX_BYTES)
      for (const { connection } of this.live.values()) connection.cut('byte_limit');
    await this.refreshRules().catch(() => undefined);
  }

  /** Rejects if the rules are old and the store cannot be asked. */
  private async refreshRules(): Promise<void> {
    if (performance.now() - this.rulesAt >= RULES_AGE_MS) await this.readRules();
  }

  /** Asks the store for the session's rules, and has them hold. */
  async readRules(): Promise<void> {
    const { store } = this.network;
    const record = await store.getSession(this.record.ref.key, store.now());
    this.rulesAt = performance.now();
    // A session that is being removed reaches nothing.
    await this.useRules(record === null ? { allow: [] } : record.network);
  }

  private async useRules(given: SessionNetworkRules | null): Promise<void> {
    if (isDeepStrictEqual(this.given, given)) return;
    this.given = given;
    this.rules = outgoingRules(this.network.config, given);
    for (const { connection } of this.live.values()) if (!this.rules?.allows(connection.host, connection.port)) connection.cut('revoked');
    if (this.rules === null) this.resolver?.end();
    else if (!this.serves) await new Promise<void>((resolve) => void this.serveNames(resolve));
  }

  /* The resolver of the sandbox. */

  /**
   * Has the sandbox's resolver as long as the rules allow anything.
   * @param onAttempt is called when the resolver has started, or cannot be had now
   */
  private async serveNames(onAttempt: () => void): Promise<void> {
    this.serves = true;
    while (this.channel.open && this.rules !== null) {
      try {
        const { stream } = await this.channel.openStream({ kind: 'resolver' }, { idleMs: Infinity });
        this.resolver = stream;
        onAttempt();
        await answerNames(stream, (name) => this.answerName(name));
      } catch {
        // Another process has it, or a program of the user has taken its place or killed it.
      }
      this.resolver = null;
      onAttempt();
      if (this.channel.open && this.rules !== null) await sleep(RESOLVER_RETRY_MS, undefined, { ref: false });
    }
    this.serves = false;
  }

  private async answerName(name: string): Promise<NameAnswer> {
    await this.refreshRules();
    const ports = this.rules?.portsOf(name) ?? [];
    // A question for a service (RFC 2782), such as apt's. The program goes on to the plain name.
    if (ports.length === 0 && name.startsWith('_')) return { refused: true };
    if (normalizeName(name) !== name || ports.length === 0) return this.refuseName(this.denialOf(name, null));
    if (!this.hasRoomFor(name)) return this.refuseName({ host: name, port: null, reason: 'too_many_names' });
    const { state } = await this.network.resolveName(name, this.record.ref.userKey);
    if (state === 'private') return this.refuseName({ host: name, port: null, reason: 'private_address' });
    if (state === 'absent') return { refused: true };
    if (state === 'failed') return { failed: true };
    this.names.delete(name);
    this.names.set(name, performance.now());
    return { ports: [...new Set([...ports, ...USUAL_PORTS])].slice(0, MAX_PORTS) };
  }

  private hasRoomFor(name: string): boolean {
    if (this.names.has(name)) return true;
    for (const [each, at] of this.names) {
      if (this.names.size < MAX_NAMES || performance.now() - at < NAME_IDLE_MS) break;
      this.names.delete(each);
    }
    return this.names.size < MAX_NAMES;
  }

  private refuseName(denial: EgressDenial): NameAnswer {
    this.deny(denial);
    return { refused: true };
  }

  /* Connections. */

  private async takeStream(offer: StreamOffer): Promise<void> {
    const { kind, name, port } = offer.header;
    if (kind !== 'outgoing' || typeof name !== 'string' || normalizeName(name) !== name || !Number.isInteger(port)) {
      return offer.refuse(new StreamError('STREAM_REFUSED', 'Nobody takes such a stream here.'));
    }
    try {
      await this.refreshRules();
    } catch {
      return offer.refuse(new StreamError('NOT_ALLOWED', 'The rules of the session cannot be read.'));
    }
    const denial = this.denialOfConnection(name, port as number);
    if (denial !== null) {
      this.deny(denial);
      return offer.refuse(new StreamError('NOT_ALLOWED', denial.reason));
    }
    await this.carry(name, port as number, offer);
  }

  private denialOfConnection(host: string, port: number): EgressDenial | null {
    if (!this.rules?.allows(host, port)) return this.denialOf(host, port);
    const { EGRESS_MAX_BYTES } = this.network.config;
    if (EGRESS_MAX_BYTES > 0 && this.log.bytes >= EGRESS_MAX_BYTES) return { host, port, reason: 'byte_limit' };
    if (!this.pace.take()) return { host, port, reason: 'too_many_new_connections' };
    const hasPlace = this.live.size < MAX_CONNECTIONS && this.network.takePlace(this.record.ref.userKey);
    return hasPlace ? null : { host, port, reason: 'too_many_connections' };
  }

  private async carry(host: string, port: number, offer: StreamOffer): Promise<void> {
    const { store, totals } = this.network;
    const event = { id: randomUUID(), host, port, openedAt: store.now() };
    const connection = new OutgoingConnection(host, port, offer.accept({ idleMs: IDLE_MS }), (denial) => this.deny(denial));
    const live = { connection, counted: 0 };
    this.live.set(event.id, live);
    this.clock ??= setInterval(() => void this.tick(), RULES_AGE_MS).unref();
    this.log.noteConnection({ ...event, endedAt: null, end: null, bytesIn: 0, bytesOut: 0 });
    const outcome = await connection.run((signal) => this.dial(host, port, signal));
    this.countBytes();
    this.live.delete(event.id);
    if (this.live.size === 0) this.stopClock();
    this.network.freePlace(this.record.ref.userKey);
    totals.ended[outcome.end] = (totals.ended[outcome.end] ?? 0) + 1;
    const { bytesIn, bytesOut } = connection;
    this.log.noteConnection({ ...event, endedAt: store.now(), ...outcome, bytesIn, bytesOut });
  }

  private async dial(host: string, port: number, signal: AbortSignal): Promise<Socket> {
    const resolution = await this.network.resolveName(host, this.record.ref.userKey);
    if (resolution.state === 'found') return this.network.connectTo(host, port, resolution.addresses, signal);
    if (resolution.state !== 'private') throw new DialError('unreachable');
    this.deny({ host, port, reason: 'private_address' });
    throw new RefusedError();
  }

  private countBytes(): void {
    const { totals } = this.network;
    for (const live of this.live.values()) {
      const { bytesIn, bytesOut } = live.connection;
      const moved = bytesIn + bytesOut - live.counted;
      if (moved === 0) continue;
      live.counted += moved;
      totals.bytes += moved;
      this.log.noteBytes(moved);
    }
  }

  private denialOf(host: string, port: number | null): EgressDenial {
    return this.rules?.denialOf(host, port) ?? { host, port, reason: 'name_not_allowed' };
  }

  private deny(denial: EgressDenial): void {
    const { denied } = this.network.totals;
    denied[denial.reason] = (denied[denial.reason] ?? 0) + 1;
    this.log.noteDenial(denial);
  }
}
