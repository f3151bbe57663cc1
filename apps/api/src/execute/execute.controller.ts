import { Body, Controller, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { CommandsService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Response } from 'express';
import type { AuthenticatedRequest } from '../auth/authenticated-request';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { AnswerOnce } from '../idempotency/answer-once';
import { ApiIdempotencyKey } from '../idempotency/idempotency.docs';
import { refuseIdempotencyKey } from '../idempotency/idempotency-key';
import { clientSignal } from '../request/client-signal.decorator';
import { wantsEvents } from '../request/event-stream';
import { EntersSession } from '../rate-limit/enters-session.decorator';
import { NoQueryGuard } from '../validation/no-query.guard';
import { ApiExecuteAnswers } from './execute.docs';
import { ExecuteDto } from './execute.dto';
import { sendExecution } from './execute-events';

@ApiTags('execute')
@UseGuards(NoQueryGuard)
@Controller('execute')
export class ExecuteController {
  constructor(
    private readonly commands: CommandsService,
    private readonly once: AnswerOnce,
  ) {}

  @Post()
  @HttpCode(200)
  @EntersSession()
  @ApiOperation({
    summary: 'Run a command',
    description:
      'Runs a shell command in the session’s container, made on first use, and answers when its shell has ended. A command that fails or runs out of time is a 200, too. Each command is a fresh shell: `cd` and `export` do not carry over to the next one, files do. Background processes go on for as long as the session lives. Closing the connection ends the command. With `Accept: text/event-stream` its output comes while it runs, uncut.',
  })
  @ApiIdempotencyKey()
  @ApiExecuteAnswers()
  @ApiProblems(
    ...PROBLEMS.GUARDED,
    ...PROBLEMS.JSON_BODY,
    ...PROBLEMS.IDEMPOTENT,
    'INVALID_WORKING_DIR',
    'SHELL_NOT_AVAILABLE',
    'COMMAND_NOT_ALLOWED',
    'TOO_MANY_COMMANDS',
    'STORAGE_FULL',
    ...PROBLEMS.SANDBOX,
  )
  async execute(
    @CurrentUser() user: User,
    @Body() command: ExecuteDto,
    @Req() request: AuthenticatedRequest,
    @Res() response: Response,
  ): Promise<void> {
    if (!wantsEvents(request)) return this.once.answer(request, response, (signal) => this.commands.execute(user, command, signal));
    refuseIdempotencyKey(request);
    const signal = clientSignal(response);
    await sendExecution(response, (watcher) => this.commands.stream(user, command, watcher, signal));
  }
}
