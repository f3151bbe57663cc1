import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import {
  type GivenKey,
  repeatableRequest,
  type RepeatableRequest,
  REQUEST_LEASE_MS,
  type RequestClaim,
  SESSION_STORE,
  type SessionStore,
  type User,
} from '@sandbox/sessions';
import { refusalOf } from './refused-claims';

/** How often this process says that it still carries out a request: three times in a lease. */
const KEEP_MS = REQUEST_LEASE_MS / 3;

/** What became of a request that was carried out, or was not. */
export interface Outcome {
  readonly status: number;
  readonly body: string;
  /** Whether anything may have been done. If not, the same request may come again. */
  readonly mayHaveRun: boolean;
}

export interface OnceAnswer {
  readonly status: number;
  readonly body: string;
  /** Whether it is the answer of an earlier call. */
  readonly isReplay: boolean;
}

/** Carries out each request that comes with a key once, and answers it as often as it comes. */
@Injectable()
export class IdempotencyService implements OnApplicationShutdown {
  private readonly logger = new Logger(IdempotencyService.name);
  /** The requests that this process carries out, by claim id. */
  private readonly underWay = new Map<string, RepeatableRequest>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
  ) {
    this.timer = setInterval(() => this.keepClaims(), KEEP_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /**
   * Carries out a request, or answers what an earlier call of it was answered. It costs one round
   * trip to the store before the work, and one after it.
   * @param carryOut never rejects
   * @throws SandboxError IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_RUNNING, IDEMPOTENCY_UNKNOWN,
   *   IDEMPOTENCY_ANSWER_NOT_KEPT, TOO_MANY_IDEMPOTENCY_KEYS, STORE_UNAVAILABLE; what
   *   `user.allowance` rejects with. Then `carryOut` is not called.
   */
  async answerOnce(user: User, given: GivenKey, carryOut: () => Promise<Outcome>): Promise<OnceAnswer> {
    const request = repeatableRequest(this.config.DEPLOYMENT, user, given);
    const claimId = randomUUID();
    const claim = await this.claim(request, claimId);
    if (claim.state !== 'claimed') return this.replay(claim);
    this.underWay.set(claimId, request);
    try {
      const { status, body, mayHaveRun } = await carryOut();
      await this.note(request, claimId, mayHaveRun ? { status, body } : null);
      return { status, body, isReplay: false };
    } finally {
      this.underWay.delete(claimId);
    }
  }

  private async claim(request: RepeatableRequest, claimId: string): Promise<RequestClaim> {
    try {
      return await this.store.claimRequest(request, claimId, this.store.now());
    } catch (error) {
      // The store may have the claim, and only its answer was lost.
      if (error instanceof SandboxError && error.code === ErrorCode.STORE_UNAVAILABLE) void this.note(request, claimId, null);
      throw error;
    }
  }

  private replay(claim: Exclude<RequestClaim, { state: 'claimed' }>): OnceAnswer {
    if (claim.state === 'answered' && claim.answer.body !== null)
      return { status: claim.answer.status, body: claim.answer.body, isReplay: true };
    throw refusalOf(claim, this.store.now());
  }

  /**
   * Notes the answer, or that there is none. If the store is away, the caller still gets its
   * answer. The claim then runs out, and a repetition is told that the outcome is unknown.
   */
  private async note(request: RepeatableRequest, claimId: string, answer: { status: number; body: string } | null): Promise<void> {
    try {
      if (answer === null) await this.store.releaseRequest(request, claimId);
      else await this.store.answerRequest(request, claimId, answer);
    } catch (error) {
      this.logger.warn({ msg: 'the answer to a request with a key could not be stored', err: error });
    }
  }

  /** A failure changes nothing: the next time comes before the lease ends. */
  private keepClaims(): void {
    if (this.underWay.size === 0) return;
    const claims = [...this.underWay].map(([claimId, request]) => ({ claimId, request }));
    this.store.keepRequests(claims, this.store.now()).catch(() => undefined);
  }
}
