import { Catch } from '@nestjs/common';
import type { SandboxError } from '@sandbox/errors';
import type { Request, Response } from 'express';
import { ProblemFilter } from '../../problems/problem.filter';
import { CONNECT_STATUS, connectCode, toldMessage } from './error-status';
import { CONNECT_STREAM, endFrame } from './envelopes';

/**
 * Answers failures of RPCs as the Connect protocol does: with a status of their own and `{code,
 * message}`. A call whose answer is a stream always has status 200, and the error in the stream's
 * last envelope.
 */
@Catch()
export class ConnectErrorsFilter extends ProblemFilter {
  protected override sendError(error: SandboxError, request: Request, response: Response): void {
    const code = connectCode(error);
    const told = { code, message: toldMessage(error) };
    if (isStreaming(request)) response.status(200).set('Content-Type', CONNECT_STREAM).end(endFrame(told));
    else response.status(CONNECT_STATUS[code]).json(told);
  }
}

function isStreaming({ headers }: Request): boolean {
  return /^application\/connect\+/i.test(headers['content-type'] ?? '');
}
