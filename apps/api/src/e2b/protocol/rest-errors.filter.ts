import { Catch } from '@nestjs/common';
import type { SandboxError } from '@sandbox/errors';
import type { Request, Response } from 'express';
import { ProblemFilter } from '../../problems/problem.filter';
import { restStatus, sandboxStatus, toldMessage } from './error-status';

/** Answers failures as E2B's REST calls do: `{code, message}`, where `code` is the status. */
@Catch()
export class RestErrorsFilter extends ProblemFilter {
  protected override sendError(error: SandboxError, _request: Request, response: Response): void {
    sendRestError(response, restStatus(error), toldMessage(error));
  }
}

/** The same for the plain HTTP calls of a sandbox. */
@Catch()
export class SandboxErrorsFilter extends ProblemFilter {
  protected override sendError(error: SandboxError, _request: Request, response: Response): void {
    sendRestError(response, sandboxStatus(error), toldMessage(error));
  }
}

function sendRestError(response: Response, status: number, message: string): void {
  response.status(status).json({ code: status, message });
}
