import {
  type KeptAnswer,
  MAX_ANSWER_BYTES,
  MAX_ANSWERS_BYTES,
  MAX_REQUESTS,
  MIN_REQUEST_AGE_MS,
  REQUEST_LEASE_MS,
  REQUEST_LIFETIME_MS,
  type RepeatableRequest,
  type RepeatableRequests,
  type RequestClaim,
} from '../repeatable-requests';

/**
 * The most bytes of answers of all users together. Past it, an answer is not kept: this process has
 * no other place for it.
 */
const MAX_BYTES_IN_ALL = 64 * 1024 * 1024;

interface Entry {
  readonly fingerprint: string;
  readonly claimId: string;
  readonly claimedAt: number;
  until: number;
  answer: KeptAnswer | null;
  /** Of the body that is kept. */
  bytes: number;
}

interface OfUser {
  /** By the request's name, the oldest first. */
  readonly entries: Map<string, Entry>;
  /** Those whose body is kept, the oldest first. */
  readonly answered: Set<Entry>;
  bytes: number;
}

/** Requests with a key in the memory of this process. */
export class RequestTable implements RepeatableRequests {
  private readonly users = new Map<string, OfUser>();
  private bytes = 0;

  async claimRequest({ userKey, name, fingerprint, allowance }: RepeatableRequest, claimId: string, now: number): Promise<RequestClaim> {
    await allowance?.granted;
    this.forgetOld(now);
    const user = this.users.get(userKey) ?? { entries: new Map<string, Entry>(), answered: new Set<Entry>(), bytes: 0 };
    const known = user.entries.get(name);
    if (known !== undefined) {
      if (known.fingerprint !== fingerprint) return { state: 'differs' };
      if (known.answer !== null) return { state: 'answered', answer: known.answer };
      return { state: known.until > now ? 'running' : 'unknown' };
    }
    if (user.entries.size >= MAX_REQUESTS) {
      const [oldest, { claimedAt }] = user.entries.entries().next().value!;
      if (claimedAt > now - MIN_REQUEST_AGE_MS) return { state: 'full', until: claimedAt + MIN_REQUEST_AGE_MS };
      this.forget(userKey, user, oldest);
    }
    const entry = { fingerprint, claimId, claimedAt: now, until: now + REQUEST_LEASE_MS, answer: null, bytes: 0 };
    user.entries.set(name, entry);
    this.users.set(userKey, user);
    return { state: 'claimed' };
  }

  async keepRequests(claims: readonly { request: RepeatableRequest; claimId: string }[], now: number): Promise<void> {
    for (const { request, claimId } of claims) {
      const entry = this.claimed(request, claimId);
      if (entry) entry.until = now + REQUEST_LEASE_MS;
    }
  }

  async answerRequest(request: RepeatableRequest, claimId: string, { status, body }: { status: number; body: string }): Promise<void> {
    const entry = this.claimed(request, claimId);
    const user = this.users.get(request.userKey);
    if (!entry || !user) return;
    const bytes = Buffer.byteLength(body);
    const isKept = bytes <= MAX_ANSWER_BYTES && this.bytes + bytes <= MAX_BYTES_IN_ALL;
    entry.answer = { status, body: isKept ? body : null };
    if (!isKept) return;
    entry.bytes = bytes;
    user.answered.add(entry);
    user.bytes += bytes;
    this.bytes += bytes;
    for (const oldest of user.answered) {
      if (user.bytes <= MAX_ANSWERS_BYTES) return;
      this.dropBody(user, oldest);
    }
  }

  async releaseRequest(request: RepeatableRequest, claimId: string): Promise<void> {
    const user = this.users.get(request.userKey);
    if (user && this.claimed(request, claimId)) this.forget(request.userKey, user, request.name);
  }

  /** @returns the request if this claim holds it and it has no answer yet */
  private claimed({ userKey, name }: RepeatableRequest, claimId: string): Entry | undefined {
    const entry = this.users.get(userKey)?.entries.get(name);
    return entry?.claimId === claimId && entry.answer === null ? entry : undefined;
  }

  private forgetOld(now: number): void {
    for (const [userKey, user] of this.users) {
      for (const [name, { claimedAt }] of user.entries) {
        if (claimedAt > now - REQUEST_LIFETIME_MS) break;
        this.forget(userKey, user, name);
      }
    }
  }

  private forget(userKey: string, user: OfUser, name: string): void {
    const entry = user.entries.get(name);
    if (entry === undefined) return;
    this.dropBody(user, entry);
    user.entries.delete(name);
    if (user.entries.size === 0) this.users.delete(userKey);
  }

  private dropBody(user: OfUser, entry: Entry): void {
    if (!user.answered.delete(entry)) return;
    user.bytes -= entry.bytes;
    this.bytes -= entry.bytes;
    if (entry.answer) entry.answer = { ...entry.answer, body: null };
  }
}
