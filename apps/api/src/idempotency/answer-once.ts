import { Injectable } from '@nestjs/common';
import { IdempotencyService, type Outcome } from '@sandbox/orchestrator';
import type { Response } from 'express';
import type { AuthenticatedRequest } from '../auth/authenticated-request';
import { PROBLEM_CONTENT_TYPE, toProblem, toSandboxError } from '../problems/problem';
import { clientSignal } from '../request/client-signal.decorator';
import { canonicalJson } from './canonical-json';
import { idempotencyKey } from './idempotency-key';
import { hasNotRun } from './not-run';

export const REPLAYED_HEADER = 'Idempotency-Replayed';

/** Answers requests that may come with an Idempotency-Key. */
@Injectable()
export class AnswerOnce {
  constructor(private readonly idempotency: IdempotencyService) {}

  /**
   * Answers with what `work` gives, as JSON and with the status of the response. A request without
   * a key is ended when its client goes away. One with a key goes on, because its client may come
   * back for the answer.
   * @param work is given a signal that aborts if the client goes away
   * @throws SandboxError as IdempotencyService.answerOnce; BAD_REQUEST for a malformed key; what
   *   `work` throws
   */
  async answer(request: AuthenticatedRequest, response: Response, work: (signal?: AbortSignal) => Promise<object>): Promise<void> {
    const key = idempotencyKey(request);
    if (key === undefined) {
      response.json(await work(clientSignal(response)));
      return;
    }
    const route = `${request.method} ${(request.route as { path: string }).path}`;
    const content = canonicalJson([request.params, request.body]);
    let failure: { cause: unknown } | undefined;
    const carryOut = async (): Promise<Outcome> => {
      try {
        return { status: response.statusCode, body: JSON.stringify(await work()), mayHaveRun: true };
      } catch (cause) {
        failure = { cause };
        const error = toSandboxError(cause);
        return { status: error.status, body: JSON.stringify(toProblem(error, request.id)), mayHaveRun: !hasNotRun(error.code) };
      }
    };
    const { status, body, isReplay } = await this.idempotency.answerOnce(request.user, { route, key, content }, carryOut);
    // The filter of all errors also logs it.
    if (failure !== undefined) throw failure.cause;
    if (isReplay) response.setHeader(REPLAYED_HEADER, 'true');
    response.statusCode = status;
    response.setHeader('Content-Type', status < 400 ? 'application/json; charset=utf-8' : PROBLEM_CONTENT_TYPE);
    response.end(body);
  }
}
