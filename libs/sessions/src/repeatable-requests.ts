import { createHash } from 'node:crypto';
import type { Allowance } from './request-counts';
import { sessionRef, type User } from './session-identity';

/** A request that its caller may send again with the same key. It is carried out once. */
export interface RepeatableRequest {
  /** SessionRef.userKey of the caller. */
  readonly userKey: string;
  /** SHA-256 of the caller, the route and the key, 64 hex digits. */
  readonly name: string;
  /** SHA-256 of all that the request asks for, 64 hex digits. */
  readonly fingerprint: string;
  /** That of the request, if it has one. It has no part in the name. */
  readonly allowance?: Allowance;
}

/** What a caller has sent: the key, and what it is for. */
export interface GivenKey {
  /** The route, such as `POST /execute`. A key counts for one route. */
  readonly route: string;
  readonly key: string;
  /** All that the request asks for, as one text. */
  readonly content: string;
}

/** The answer to a request that was carried out. */
export interface KeptAnswer {
  readonly status: number;
  /** Null if it is not kept: it was too long, or gave way to newer ones. */
  readonly body: string | null;
}

/** What a store says of a request that somebody wants to carry out. */
export type RequestClaim =
  /** Nobody has carried it out. The caller does it now. */
  | { readonly state: 'claimed' }
  | { readonly state: 'answered'; readonly answer: KeptAnswer }
  /** Another call is carrying it out. */
  | { readonly state: 'running' }
  /** A process has begun to carry it out, and is gone. Nobody knows how far it came. */
  | { readonly state: 'unknown' }
  /** Another request came with the same key. */
  | { readonly state: 'differs' }
  /** The user has MAX_REQUESTS that are young. At this time the oldest may give way. */
  | { readonly state: 'full'; readonly until: number };

/**
 * The requests of users that came with a key, for REQUEST_LIFETIME_MS. Of all who claim the same
 * request, over all processes that share the store, one carries it out.
 *
 * A claim lasts for REQUEST_LEASE_MS, and longer if its process keeps it. So a process that has
 * died does not keep its claims. Such a request is never claimed again: it may have been carried
 * out.
 */
export interface RepeatableRequests {
  /**
   * Claims a request.
   * @param claimId unique over all processes. Only its owner can answer or release the request.
   * @throws what `request.allowance.granted` rejects with. Then nothing is claimed.
   */
  claimRequest(request: RepeatableRequest, claimId: string, now: number): Promise<RequestClaim>;
  /** Prolongs claims that still hold, and those that have run out but were not answered. */
  keepRequests(claims: readonly { request: RepeatableRequest; claimId: string }[], now: number): Promise<void>;
  /**
   * Notes the answer of a claimed request. A body of over MAX_ANSWER_BYTES is not kept. If the
   * user's answers have over MAX_ANSWERS_BYTES, the oldest of them are not kept any longer.
   */
  answerRequest(request: RepeatableRequest, claimId: string, answer: { status: number; body: string }): Promise<void>;
  /** Forgets a claimed request that was not carried out. */
  releaseRequest(request: RepeatableRequest, claimId: string): Promise<void>;
}

/** How long a request is remembered, counted from its claim. */
export const REQUEST_LIFETIME_MS = 24 * 3600_000;
/** How long a claim holds if its process dies now. */
export const REQUEST_LEASE_MS = 15_000;
/** The most requests of a user that are remembered. */
export const MAX_REQUESTS = 10_000;
/** Past MAX_REQUESTS, the oldest gives way to a new one, but only if it is older than this. */
export const MIN_REQUEST_AGE_MS = 3600_000;
/** The longest answer that is kept, bytes of UTF-8. */
export const MAX_ANSWER_BYTES = 256 * 1024;
/** The most bytes of answers that are kept of a user. */
export const MAX_ANSWERS_BYTES = 8 * 1024 * 1024;

/** Derives a request's name and fingerprint. The store holds neither the key nor the content. */
export function repeatableRequest(deployment: string, user: User, { route, key, content }: GivenKey): RepeatableRequest {
  const { userKey, allowance } = sessionRef(deployment, user, '');
  return {
    userKey,
    name: sha256(JSON.stringify([userKey, route, key])),
    fingerprint: sha256(content),
    ...(allowance && { allowance }),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
