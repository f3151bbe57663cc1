import { Logger } from '@nestjs/common';
import type { EgressDenial } from '@sandbox/egress';
import type { SessionRef, SessionStore } from '@sandbox/sessions';
import { type ConnectionEvent, type DenialEvent, formatConnection, formatDenial, parseHistory } from './network-events';
import { Pace } from './pace';

/** Events wait so long for others, so that many need one round trip to the store. */
const GATHER_MS = 100;
const MAX_PENDING = 400;
const MAX_DENIALS = 200;
/** A denial that is repeated is written once in so long. */
const SAME_DENIAL_MS = 1_000;

const audit = new Logger('Audit');

/**
 * Notes what the programs of one session do on the network: for its owner in the store, for the
 * operator in the log. Denials that come in a flood are noted in part.
 */
export class OutgoingLog {
  private readonly logger = new Logger(OutgoingLog.name);
  private pending: string[] = [];
  private pendingBytes = 0;
  private timer: NodeJS.Timeout | null = null;
  /** Each once, with its last time, the oldest first. */
  private readonly denials: DenialEvent[] = [];
  private readonly denialPace = new Pace(50, 1);
  /** All bytes of the session, of all processes, as the store last said. */
  private knownBytes = 0;

  constructor(
    private readonly store: SessionStore,
    private readonly ref: SessionRef,
    private readonly generation: () => string,
  ) {}

  /** How many bytes the session has moved. Those that another process has just moved may lack. */
  get bytes(): number {
    return this.knownBytes + this.pendingBytes;
  }

  noteBytes(bytes: number): void {
    this.pendingBytes += bytes;
    this.gather();
  }

  noteConnection(event: ConnectionEvent): void {
    this.note(formatConnection(event));
    if (event.endedAt === null) return;
    const { host, port, bytesIn, bytesOut, end, detail } = event;
    this.write({
      op: 'connection',
      host,
      port,
      bytes_in: bytesIn,
      bytes_out: bytesOut,
      end,
      detail,
      duration_ms: event.endedAt - event.openedAt,
    });
  }

  noteDenial(denial: EgressDenial): void {
    const at = this.store.now();
    const same = this.denials.findIndex((each) => isSame(each, denial));
    const last = same === -1 ? -Infinity : this.denials[same]!.at;
    if (same !== -1) this.denials.splice(same, 1);
    // Each command asks for what came since its start, so the last time is enough.
    this.denials.push({ ...denial, at });
    if (this.denials.length > MAX_DENIALS) this.denials.shift();
    if (at - last < SAME_DENIAL_MS || !this.denialPace.take()) return;
    this.note(formatDenial({ ...denial, at }));
    this.write({ op: 'connection_denied', ...denial });
  }

  /** Returns the denials of this process since a time of the store's clock. */
  denialsSince(at: number): DenialEvent[] {
    return this.denials.filter((each) => each.at >= at);
  }

  /** Returns the denials of all processes since a time of the store's clock. */
  async allDenialsSince(at: number): Promise<DenialEvent[]> {
    const { events } = await this.store.readNetwork(this.ref.key);
    return parseHistory(events).denials.filter((each) => each.at >= at);
  }

  /** Writes what has gathered to the store. Never rejects: what the store does not take is lost. */
  async flush(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const [events, bytes] = [this.pending, this.pendingBytes];
    if (events.length === 0 && bytes === 0) return;
    this.pending = [];
    this.pendingBytes = 0;
    this.knownBytes += bytes;
    try {
      const total = await this.store.addNetworkEvents(this.ref.key, this.generation(), events, bytes);
      if (total !== null) this.knownBytes = Math.max(this.knownBytes, total);
    } catch (error) {
      this.logger.debug({ msg: 'network events could not be stored', sandbox_key: this.ref.key.slice(0, 12), err: error });
    }
  }

  private note(event: string): void {
    this.pending.push(event);
    if (this.pending.length > MAX_PENDING) this.pending.shift();
    this.gather();
  }

  private gather(): void {
    this.timer ??= setTimeout(() => void this.flush(), GATHER_MS).unref();
  }

  private write(line: Record<string, unknown>): void {
    audit.log({ audit: true, user: this.ref.userId, session_id: this.ref.sessionId, ...line });
  }
}

function isSame(a: EgressDenial, b: EgressDenial): boolean {
  return a.host === b.host && a.port === b.port && a.reason === b.reason;
}
