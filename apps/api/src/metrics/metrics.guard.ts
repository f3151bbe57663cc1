import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { Request, Response } from 'express';
import { Admission } from '../auth/admission';
import { ApiKeys } from '../auth/api-keys';

/**
 * Lets in requests with METRICS_TOKEN; none if that is not set. No user's credential works here,
 * because the figures are of all users together.
 */
@Injectable()
export class MetricsGuard implements CanActivate {
  private readonly tokens: ApiKeys;

  constructor(
    @Inject(CONFIG) { METRICS_TOKEN }: Pick<Config, 'METRICS_TOKEN'>,
    private readonly admission: Admission,
  ) {
    this.tokens = new ApiKeys(METRICS_TOKEN === '' ? [] : [METRICS_TOKEN]);
  }

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const presented = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (presented !== undefined && this.tokens.userOf(presented) !== null) return true;
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer');
    throw this.admission.refusal(request, presented !== undefined);
  }
}
