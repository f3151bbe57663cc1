import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { Request, Response } from 'express';
import { Admission } from '../auth/admission';

/** Lets in whoever has METRICS_TOKEN, and nobody where it is not set. No user's credential does: the figures are of all users together. */
@Injectable()
export class MetricsGuard implements CanActivate {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'METRICS_TOKEN'>,
    private readonly admission: Admission,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const presented = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const { METRICS_TOKEN } = this.config;
    if (METRICS_TOKEN !== '' && presented !== undefined && timingSafeEqual(digest(presented), digest(METRICS_TOKEN))) return true;
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer');
    throw this.admission.refusal(request, presented !== undefined);
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
