import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { PolicyService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { NoQueryGuard } from '../validation/no-query.guard';
import { CheckPolicyDto, PolicyAnswerDto } from './policy.dto';

@ApiTags('policy')
@UseGuards(NoQueryGuard)
@Controller('policy')
export class PolicyController {
  constructor(private readonly policy: PolicyService) {}

  @Post('check')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Ask whether a command may run',
    description: 'Runs nothing, makes no session and does not prolong one. POST /execute refuses the same commands, with the same words.',
  })
  @ApiOkResponse({ type: PolicyAnswerDto, description: 'Whether it may run; if not, which word is refused and why' })
  @ApiProblems(
    ...PROBLEMS.GUARDED,
    ...PROBLEMS.JSON_BODY,
    'SESSION_NOT_FOUND',
    'SANDBOX_LOST',
    'SANDBOX_UNRESPONSIVE',
    'SANDBOX_EXHAUSTED',
    'RUNTIME_UNAVAILABLE',
  )
  check(@CurrentUser() user: User, @Body() question: CheckPolicyDto): Promise<PolicyAnswerDto> {
    return this.policy.checkCommand(user, question);
  }
}
