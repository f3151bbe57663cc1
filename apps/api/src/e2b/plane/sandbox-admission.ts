import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { Admission } from '../../auth/admission';
import type { Admitting } from '../../auth/admitted-by.decorator';
import type { Identity } from '../../auth/identity';
import { SessionTokens } from '../../auth/session-tokens';

/** The header with the id of the sandbox that a call is for. */
const SANDBOX_ID = 'e2b-sandbox-id';
const TOKEN = 'x-access-token';

/** The sandboxes of the requests that came with a token. */
const sandboxes = new WeakMap<IncomingMessage, string>();

/**
 * Returns the id of the sandbox that a call is for. Old versions of the SDK send the header only
 * with RPCs, and the token alone says the rest.
 * @returns undefined if neither says so, or the header says it twice
 */
export function sandboxOf(request: IncomingMessage): string | undefined {
  const ids = request.headersDistinct[SANDBOX_ID] ?? [];
  return ids.length === 0 ? sandboxes.get(request) : ids.length === 1 ? ids[0] : undefined;
}

/**
 * Lets in who has the token of the sandbox that the call names, or a credential of the sandbox's
 * owner. A token decides: a good credential beside a wrong one does not help.
 */
@Injectable()
export class SandboxAdmission implements Admitting {
  constructor(
    private readonly admission: Admission,
    private readonly tokens: SessionTokens,
  ) {}

  async admit(request: IncomingMessage): Promise<Identity> {
    const tokens = request.headersDistinct[TOKEN];
    if (tokens === undefined) return this.admission.admit(request);
    const identity = tokens.length === 1 ? this.tokens.readToken(tokens[0]!) : null;
    const others = (request.headersDistinct[SANDBOX_ID] ?? []).filter((id) => id !== identity?.sessionId);
    if (identity === null || others.length > 0) throw this.admission.refusal(request, true);
    sandboxes.set(request, identity.sessionId);
    return identity;
  }
}
