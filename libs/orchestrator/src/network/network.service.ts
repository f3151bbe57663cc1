import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { normalizeName } from '@sandbox/egress';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { SESSION_STORE, sessionRef, type SessionNetworkRules, type SessionRecord, type SessionStore, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import { SessionConnections } from '../entering/session-connections';
import { defaultRules, networkFaults } from '../options/network-rules';
import { parseHistory } from '../outgoing/network-events';
import { OutgoingNetwork } from '../outgoing/outgoing-network';
import { offeredRule, outgoingRules } from '../outgoing/outgoing-rules';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { type NetworkCheck, type NetworkInfo, tellConnection, tellDenial } from './network-answers';

/** What the programs of a user's sessions may reach, and what they have reached. */
@Injectable()
export class NetworkService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: Pick<SandboxRuntime, 'networkRefusal'>,
    private readonly connections: SessionConnections,
    private readonly outgoing: OutgoingNetwork,
  ) {}

  /**
   * Tells what a live session may reach and has reached. It does not prolong the session.
   * @throws SandboxError SESSION_NOT_FOUND
   */
  async getNetwork(user: User, sessionId: string): Promise<NetworkInfo> {
    return this.info(await this.record(user, sessionId));
  }

  /**
   * Gives a live session other rules. They hold at once: open connections that they do not allow
   * are cut, in other API processes within a second. Counts as a use of the session.
   * @throws SandboxError SESSION_NOT_FOUND; VALIDATION_FAILED naming each rule that is none, or
   * that the operator does not offer, or why no sandbox can have a network
   */
  async setNetwork(user: User, sessionId: string, network: SessionNetworkRules): Promise<NetworkInfo> {
    const ref = sessionRef(this.config.DEPLOYMENT, user, sessionId);
    return audited(user, ref, { op: 'set_network' }, async () => {
      const errors = networkFaults(this.config, network, this.runtime.networkRefusal());
      if (errors.length > 0) throw new SandboxError(ErrorCode.VALIDATION_FAILED, 'The rules are not allowed.', { errors });
      const record = await this.store.updateSession(ref.key, { network }, this.store.now());
      if (record === null) throw notFound();
      await this.connections.changeNetwork(record);
      return this.info(record);
    });
  }

  /**
   * Says whether a program could reach a server, and why not. It resolves the name, and connects to
   * nothing.
   * @param sessionId whose rules count; undefined: a session's that asks for nothing
   * @throws SandboxError SESSION_NOT_FOUND
   */
  async checkTarget(user: User, host: string, port: number, sessionId?: string): Promise<NetworkCheck> {
    const network = sessionId === undefined ? null : (await this.record(user, sessionId)).network;
    const { userKey } = sessionRef(this.config.DEPLOYMENT, user, '');
    const name = normalizeName(host);
    if (name === null) return { allowed: false, reason: 'not_a_name' };
    if (this.runtime.networkRefusal() !== null) return { allowed: false, reason: 'name_not_allowed' };
    const rules = outgoingRules(this.config, network);
    if (rules === null) return denied({ reason: 'name_not_allowed', ...offeredRule(this.config.EGRESS_ALLOW, name, port) });
    if (!rules.allows(name, port)) return denied(rules.denialOf(name, port));
    const { state } = await this.outgoing.resolveName(name, userKey);
    if (state === 'found') return { allowed: true };
    const reasons = { private: 'private_address', absent: 'name_not_found', failed: 'name_not_resolved' };
    return { allowed: false, reason: reasons[state] };
  }

  private async record(user: User, sessionId: string): Promise<SessionRecord> {
    const { key } = sessionRef(this.config.DEPLOYMENT, user, sessionId);
    const record = await this.store.getSession(key, this.store.now());
    if (record === null || record.containerId === null) throw notFound();
    return record;
  }

  private async info({ ref, network }: SessionRecord): Promise<NetworkInfo> {
    await this.connections.networkOf(ref.key)?.flush();
    const { events, bytes } = await this.store.readNetwork(ref.key);
    const { connections, denials } = parseHistory(events);
    return {
      session_id: ref.sessionId,
      allow: [...(network?.allow ?? defaultRules(this.config, this.runtime.networkRefusal()))],
      is_default: network === null,
      bytes,
      max_bytes: this.config.EGRESS_MAX_BYTES || null,
      connections: connections.map(tellConnection),
      denials: denials.map(tellDenial),
    };
  }
}

function denied({ reason, rule }: { reason: string; rule?: string }): NetworkCheck {
  return { allowed: false, reason, ...(rule !== undefined && { rule }) };
}

function notFound(): SandboxError {
  return new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
}
