import { Inject, Injectable } from '@nestjs/common';
import { COMMAND_POLICY, type CommandPolicy } from '@sandbox/command-policy';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import {
  SESSION_STORE,
  sessionRef,
  type SessionOptions,
  type SessionRecord,
  type SessionRef,
  type SessionSettings,
  type SessionStore,
  type User,
} from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import type { OpenSandbox } from '../entering/open-sandbox';
import { SessionEntrance } from '../entering/session-entrance';
import { SessionRemoval } from '../entering/session-removal';
import { shortId } from '../entering/short-id';
import { defaultRules } from '../options/network-rules';
import {
  checkSessionOptions,
  differences,
  sandboxShape,
  toldOf,
  type OptionLimits,
  type SandboxShape,
  type Told,
} from '../options/session-options';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';

/** What POST /sessions and the MCP tool answer. */
export interface CreatedSession {
  session_id: string;
  container_id: string;
  /** Whether this call made the session. */
  session_created: boolean;
  /** Whether its sandbox was made or started anew, and no answer had said so. */
  session_restarted: boolean;
}

/** A live session as GET /sessions tells of it. Times are ISO 8601 in UTC. */
export interface SessionInfo extends Told<SandboxShape> {
  session_id: string;
  container_id: string;
  created_at: string;
  last_used_at: string;
  expires_at: string;
  ttl_seconds: number;
  metadata: Record<string, string>;
  /** The names that its programs may reach. */
  network: { allow: string[] };
}

/** A live session and its owner. */
export interface OwnedSession {
  readonly user: User;
  readonly sessionId: string;
}

/** Makes, lists, changes and deletes a user's sessions. */
@Injectable()
export class SessionsService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(COMMAND_POLICY) private readonly policy: CommandPolicy,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: Pick<SandboxRuntime, 'capabilities' | 'networkRefusal'>,
    private readonly entrance: SessionEntrance,
    private readonly removal: SessionRemoval,
  ) {}

  /**
   * Makes the session unless the user has it already. Idempotent.
   * @throws SandboxError VALIDATION_FAILED if the operator does not allow an option;
   * SESSION_OPTIONS_DIFFER if the session is there and differs from an option that is given
   */
  async createSession(user: User, sessionId: string, options: SessionOptions = {}, signal?: AbortSignal): Promise<CreatedSession> {
    const ref = this.ref(user, sessionId);
    const answer = async (sandbox: OpenSandbox): Promise<CreatedSession> => {
      const { ttlMs, metadata } = sandbox.record;
      const network = sandbox.network?.givenRules ?? undefined;
      const has = { ...sandbox.options, ttl_seconds: ttlMs / 1000, metadata, network };
      const errors = differences(this.config, options, has);
      if (errors.length > 0) {
        throw new SandboxError(ErrorCode.SESSION_OPTIONS_DIFFER, 'The session is there, with other options.', { errors });
      }
      // The session's own sandbox may have been the first to tell.
      checkSessionOptions(this.limits, { network: options.network });
      const { containerId, created, takeRestarted } = sandbox;
      return {
        session_id: sessionId,
        container_id: shortId(containerId),
        session_created: created,
        session_restarted: await takeRestarted(),
      };
    };
    return audited(user, ref, { op: 'create_session' }, async () => {
      checkSessionOptions(this.limits, options);
      return this.entrance.enterSession(ref, 0, answer, { options, signal });
    });
  }

  /**
   * Changes how long a live session may stay unused, or its metadata. Counts as a use of it.
   * @throws SandboxError SESSION_NOT_FOUND, VALIDATION_FAILED
   */
  async updateSession(user: User, sessionId: string, settings: SessionSettings): Promise<SessionInfo> {
    const ref = this.ref(user, sessionId);
    return audited(user, ref, { op: 'update_session' }, async () => {
      checkSessionOptions(this.limits, settings);
      return this.info(await this.store.updateSession(ref.key, settings, this.store.now()));
    });
  }

  /**
   * Lists the user's live sessions, oldest first. It does not prolong them.
   * @param metadata a session is listed only if its metadata has all these pairs
   */
  async listSessions(user: User, metadata: readonly (readonly [string, string])[] = []): Promise<SessionInfo[]> {
    const records = await this.store.listSessions(this.ref(user, '').userKey, this.store.now());
    const matches = (record: SessionRecord): boolean => metadata.every(([name, value]) => record.metadata[name] === value);
    return records
      .filter(hasSandbox)
      .filter(matches)
      .map((record) => this.info(record));
  }

  /**
   * Lists the live sessions of all users, MAX_LISTED at most. Nobody but the service itself may
   * learn of them.
   */
  async listOwned(): Promise<OwnedSession[]> {
    const records = await this.store.listAllSessions(this.store.now());
    return records.map(({ ref: { userId, sessionId } }) => ({ user: { id: userId }, sessionId }));
  }

  /**
   * Tells of one live session. It does not prolong it.
   * @throws SandboxError SESSION_NOT_FOUND
   */
  async getSession(user: User, sessionId: string): Promise<SessionInfo> {
    return this.info(await this.store.getSession(this.ref(user, sessionId).key, this.store.now()));
  }

  /**
   * Deletes the session. Its container and volume are gone when the promise resolves. Calls under
   * way in it end with SESSION_DELETED. Idempotent.
   */
  async deleteSession(user: User, sessionId: string): Promise<{ status: 'deleted'; session_id: string }> {
    const ref = this.ref(user, sessionId);
    await audited(user, ref, { op: 'delete_session' }, () => this.removal.removeSession(ref));
    return { status: 'deleted', session_id: sessionId };
  }

  /** @throws SandboxError SESSION_NOT_FOUND */
  private info(record: SessionRecord | null): SessionInfo {
    if (!record || !hasSandbox(record)) throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
    return {
      session_id: record.ref.sessionId,
      container_id: shortId(record.containerId),
      created_at: new Date(record.createdAt).toISOString(),
      last_used_at: new Date(record.lastUsedAt).toISOString(),
      expires_at: new Date(record.expiresAt).toISOString(),
      ...toldOf(sandboxShape(this.config, record.options ?? {}), this.runtime.capabilities),
      image: record.image,
      ttl_seconds: record.ttlMs / 1000,
      metadata: record.metadata,
      network: { allow: [...(record.network?.allow ?? defaultRules(this.config, this.runtime.networkRefusal()))] },
    };
  }

  private get limits(): OptionLimits {
    const { config, policy, runtime } = this;
    return { config, policy, capabilities: runtime.capabilities, networkRefusal: runtime.networkRefusal() };
  }

  private ref(user: User, sessionId: string): SessionRef {
    return sessionRef(this.config.DEPLOYMENT, user, sessionId);
  }
}

/** A record whose first sandbox is still being made is no session to a reader yet. */
function hasSandbox(record: SessionRecord): record is SessionRecord & { containerId: string; image: string } {
  return record.containerId !== null && record.image !== null;
}
