import { Controller, Get, HttpCode, UseFilters } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { SessionsService } from '@sandbox/orchestrator';
import { SandboxErrorsFilter } from '../protocol/rest-errors.filter';
import { CalledSandbox, type SandboxCall, SandboxPlane } from './sandbox-call';

/** Says whether a sandbox is there. Asking does not prolong it. */
@ApiExcludeController()
@Controller('e2b/sandbox')
@SandboxPlane()
@UseFilters(SandboxErrorsFilter)
export class SandboxHealthController {
  constructor(private readonly sessions: SessionsService) {}

  @Get('health')
  @HttpCode(204)
  async check(@CalledSandbox() { user, sessionId }: SandboxCall): Promise<void> {
    await this.sessions.getSession(user, sessionId);
  }
}
