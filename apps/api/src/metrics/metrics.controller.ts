import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from '../auth/public.decorator';
import { Metrics } from './metrics';
import { MetricsGuard } from './metrics.guard';

/** Serves the operator's Prometheus. It is no part of the API that users see. */
@ApiExcludeController()
@Public()
@UseGuards(MetricsGuard)
@Controller()
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get('metrics')
  @Header('Content-Type', Metrics.CONTENT_TYPE)
  read(): Promise<string> {
    return this.metrics.text();
  }
}
