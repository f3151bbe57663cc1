import { Inject, Injectable } from '@nestjs/common';
import { COMMAND_POLICY, type CommandPolicy, type UnlistedPrograms } from '@sandbox/command-policy';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { SESSION_STORE, sessionRef, type SessionRecord, type SessionStore, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import { inLiveSandbox, sessionNotFound } from '../entering/live-sandbox';
import { SessionConnections } from '../entering/session-connections';
import { findOwnPrograms } from './own-programs';
import { checkPolicy, type ShellCommand } from './shell-command';

/** A command that somebody may want to run. */
export interface PolicyQuestion extends Pick<ShellCommand, 'command' | 'env' | 'shell'> {
  /** The session that would run it; absent: a new one, which has no programs of its own. */
  session_id?: string;
}

/** What POST /policy/check answers. */
export type PolicyAnswer =
  | { allowed: true }
  | {
      allowed: false;
      /** The word that is refused; empty at the end of the command. */
      word: string;
      /** Line and column count from 1. Column and offset are UTF-16 units. */
      position: { line: number; column: number; offset: number };
      reason: string;
      /** Allowed programs whose names are like the word, the most similar first. */
      similar: string[];
    };

/** Says of commands whether they may run, and runs none. */
@Injectable()
export class PolicyService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(COMMAND_POLICY) private readonly policy: CommandPolicy,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    private readonly connections: SessionConnections,
  ) {}

  /**
   * Says whether a command may run, and why not. If the answer depends on programs that the session
   * has installed, it asks the session's sandbox. It makes none, and does not prolong the session.
   * @throws SandboxError SESSION_NOT_FOUND, SANDBOX_*, RUNTIME_UNAVAILABLE, STORE_UNAVAILABLE
   */
  checkCommand(user: User, question: PolicyQuestion): Promise<PolicyAnswer> {
    const subject = { op: 'check_command', command: question.command };
    const asker = { userId: user.id, sessionId: question.session_id };
    return audited(
      user,
      asker,
      subject,
      () => this.answerTo(user, question),
      ({ allowed }) => ({ allowed }),
    );
  }

  private async answerTo(user: User, { session_id, ...command }: PolicyQuestion): Promise<PolicyAnswer> {
    const record = session_id === undefined ? null : await this.liveRecord(user, session_id);
    try {
      const { unlisted } = checkPolicy(command, this.policy, this.config.EXEC_SHELL);
      if (unlisted !== undefined) await this.requireOwn(unlisted, record);
      return { allowed: true };
    } catch (error) {
      if (!(error instanceof SandboxError) || error.code !== ErrorCode.COMMAND_NOT_ALLOWED) throw error;
      // The error has the whole list in `allowed`.
      return { ...(error.extensions as unknown as PolicyAnswer & { allowed: false }), allowed: false };
    }
  }

  /** @throws SandboxError COMMAND_NOT_ALLOWED for the first that is not the session's own */
  private async requireOwn(unlisted: UnlistedPrograms, record: SessionRecord | null): Promise<void> {
    if (record === null) throw unlisted.refusal(0);
    const options = record.options ?? {};
    await inLiveSandbox(this.connections, record, sessionNotFound, (channel) => findOwnPrograms({ channel, options }, unlisted));
  }

  private async liveRecord(user: User, sessionId: string): Promise<SessionRecord> {
    const { key } = sessionRef(this.config.DEPLOYMENT, user, sessionId);
    const record = await this.store.getSession(key, this.store.now());
    if (record === null || record.containerId === null) throw sessionNotFound();
    return record;
  }
}
