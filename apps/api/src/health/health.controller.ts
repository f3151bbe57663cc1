import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { ReadinessService } from '@sandbox/orchestrator';
import { Public } from '../auth/public.decorator';
import { ApiProblems } from '../openapi/problem-responses';
import { HealthDto, ReadyDto } from './health.dto';

@ApiTags('health')
@Public()
@Controller()
export class HealthController {
  constructor(private readonly readiness: ReadinessService) {}

  @Get('health')
  @ApiOperation({ summary: 'Is the process alive?', description: 'Touches nothing else.', security: [] })
  @ApiOkResponse({ type: HealthDto, description: 'It is' })
  health(): HealthDto {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({
    summary: 'Can commands be run?',
    description: 'Asks what makes the sandboxes, the store and for the image; answers within 3 s.',
    security: [],
  })
  @ApiOkResponse({ type: ReadyDto, description: 'They can' })
  @ApiProblems('NOT_READY')
  async ready(): Promise<ReadyDto> {
    const checks = await this.readiness.checkReadiness();
    const missing = Object.entries(checks).filter(([, outcome]) => outcome !== 'ok');
    const { pool, transport, disk, ignoredSettings } = this.readiness;
    if (missing.length === 0) return { status: 'ready', checks, pool, channel: transport, disk, ignored_settings: ignoredSettings };
    throw new SandboxError(ErrorCode.NOT_READY, `Not ready: ${missing.map(([name]) => name).join(', ')}.`, { extensions: { checks } });
  }
}
