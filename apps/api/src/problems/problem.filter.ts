import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { User } from '@sandbox/sessions';
import type { Express, Request, Response } from 'express';
import { readToNowhere } from './lingering-close';
import { allowedMethods } from './allowed-methods';
import { logFailure } from './log-failure';
import { PROBLEM_CONTENT_TYPE, toProblem, toSandboxError } from './problem';

/**
 * Answers every failure with a problem document, and logs those that are not the client's fault.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request & { user?: User }>();
    const response = http.getResponse<Response>();
    const { allowance } = request.user ?? {};
    if (allowance === undefined) return this.answer(exception, request, response);
    // A request over its budget is refused for that, whatever else is wrong with it.
    allowance.granted.then(
      () => this.answer(exception, request, response),
      (refusal: unknown) => this.answer(refusal, request, response),
    );
  }

  private answer(exception: unknown, request: Request, response: Response): void {
    const error = this.refineNotFound(toSandboxError(exception), request, response);
    logFailure(error, request.id);
    if (response.headersSent) {
      cutOff(request, response);
      return;
    }
    if (error.retryAfter !== undefined) response.setHeader('Retry-After', String(Math.ceil(error.retryAfter)));
    // A client that is still sending would otherwise never read the answer. The server's request
    // timeout ends it.
    readToNowhere(request);
    this.sendError(error, request, response);
  }

  /** Writes status, content type and body of the answer. */
  protected sendError(error: SandboxError, request: Request, response: Response): void {
    response.statusCode = error.status;
    response.setHeader('Content-Type', PROBLEM_CONTENT_TYPE);
    response.end(JSON.stringify(toProblem(error, request.id)));
  }

  /**
   * Refines Nest's 404: 405 with `Allow` if the path exists with another method, 400 if the path is
   * not valid percent-encoding.
   */
  private refineNotFound(error: SandboxError, request: Request, response: Response): SandboxError {
    if (error.code !== ErrorCode.NOT_FOUND || error.cause === undefined) return error;
    if (!isDecodable(request.path)) return new SandboxError(ErrorCode.BAD_REQUEST, 'The address is not percent-encoded UTF-8.');
    const methods = allowedMethods(this.adapterHost.httpAdapter.getInstance<Express>(), request.path);
    if (methods.length === 0 || methods.includes(request.method)) return error;
    response.setHeader('Allow', methods.join(', '));
    return new SandboxError(ErrorCode.METHOD_NOT_ALLOWED, `This address takes ${methods.join(', ')}.`);
  }
}

/**
 * Only a cut connection can still tell the client that the answer is not whole. Without a length or
 * chunks (HTTP/1.0), the close of the connection is the answer's regular end. So that is a reset.
 */
function cutOff(request: Request, response: Response): void {
  if (response.chunkedEncoding || response.hasHeader('Content-Length')) response.destroy();
  else request.socket.resetAndDestroy();
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
