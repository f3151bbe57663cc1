import type { Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { createNameResolver, dial, isPublic, type NameResolver, type Resolution } from '@sandbox/egress';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { FairLimit } from '../turns/fair-limit';
import type { ConnectionEnd } from './network-events';

/** How many names are asked for at a time, in all and for one user, and how many may wait. */
const MAX_LOOKUPS = 64;
const MAX_LOOKUPS_OF_USER = 16;
const MAX_WAITING_LOOKUPS = 1_024;
/** Of all sessions of a user in this process. */
const MAX_CONNECTIONS_OF_USER = 512;

/** Figures of this process since it began. */
export interface OutgoingTotals {
  open: number;
  /** In and out. */
  bytes: number;
  readonly ended: Partial<Record<ConnectionEnd, number>>;
  readonly denied: Record<string, number>;
}

/**
 * The way out of the sandboxes of one API process. It resolves names, checks addresses and dials;
 * SandboxNetwork decides for each sandbox what may go out.
 */
@Injectable()
export class OutgoingNetwork {
  readonly totals: OutgoingTotals = { open: 0, bytes: 0, ended: {}, denied: {} };
  /** Open connections by user. */
  private readonly ofUser = new Map<string, number>();
  private readonly resolver: NameResolver;

  constructor(
    @Inject(CONFIG) readonly config: Config,
    @Inject(SESSION_STORE) readonly store: SessionStore,
  ) {
    this.resolver = createNameResolver({
      servers: config.EGRESS_DNS,
      isAllowedAddress: (address) => isPublic(address, config.EGRESS_PRIVATE),
      turns: new FairLimit(
        (running, ofUser) => running < MAX_LOOKUPS && ofUser < MAX_LOOKUPS_OF_USER,
        MAX_WAITING_LOOKUPS,
        () => new Error('Too many names are asked for.'),
      ),
    });
  }

  /** Whether sandboxes may reach anything here. */
  get isOffered(): boolean {
    return this.config.EGRESS_ALLOW.length > 0;
  }

  /**
   * Resolves a name that is allowed. An upstream proxy resolves by itself, so then nothing is
   * looked up, and no address is known. Never rejects.
   */
  async resolveName(name: string, userKey: string): Promise<Resolution> {
    return this.config.EGRESS_PROXY === null ? this.resolver.resolve(name, userKey) : { state: 'found', addresses: [] };
  }

  /**
   * Connects to a name at one of its checked addresses.
   * @throws DialError
   */
  connectTo(name: string, port: number, addresses: readonly string[], signal: AbortSignal): Promise<Socket> {
    return dial({ name, port, addresses, proxy: this.config.EGRESS_PROXY ?? undefined, signal });
  }

  /** Counts a connection of the user. Returns false if the user has too many. */
  takePlace(userKey: string): boolean {
    const open = this.ofUser.get(userKey) ?? 0;
    if (open >= MAX_CONNECTIONS_OF_USER) return false;
    this.ofUser.set(userKey, open + 1);
    this.totals.open += 1;
    return true;
  }

  freePlace(userKey: string): void {
    const open = (this.ofUser.get(userKey) ?? 1) - 1;
    if (open === 0) this.ofUser.delete(userKey);
    else this.ofUser.set(userKey, open);
    this.totals.open -= 1;
  }
}
