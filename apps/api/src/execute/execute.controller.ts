import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { OrchestratorService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../docs/problem-responses';
import { ClientSignal } from '../http/client-signal.decorator';
import { NoQueryGuard } from '../validation/no-query.guard';
import { ExecuteDto, ExecuteResultDto } from './execute.dto';

@ApiTags('execute')
@UseGuards(NoQueryGuard)
@Controller('execute')
export class ExecuteController {
  constructor(private readonly orchestrator: OrchestratorService) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Run a command',
    description:
      'Runs a shell command in the session’s container, made on first use, and answers when its shell has ended. A command that fails or runs out of time is a 200, too. Each command is a fresh shell: `cd` and `export` do not carry over to the next one, files do. Background processes go on for as long as the session lives. Closing the connection ends the command.',
  })
  @ApiOkResponse({ type: ExecuteResultDto, description: 'How the command ended, whatever its exit code' })
  @ApiProblems(
    ...PROBLEMS.GUARDED,
    ...PROBLEMS.JSON_BODY,
    'INVALID_WORKING_DIR',
    'SHELL_NOT_AVAILABLE',
    'COMMAND_NOT_ALLOWED',
    'TOO_MANY_COMMANDS',
    ...PROBLEMS.SANDBOX,
  )
  execute(@CurrentUser() user: User, @Body() command: ExecuteDto, @ClientSignal() signal: AbortSignal): Promise<ExecuteResultDto> {
    return this.orchestrator.execute(user, command, signal);
  }
}
