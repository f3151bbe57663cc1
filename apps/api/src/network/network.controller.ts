import { Body, Controller, Get, HttpCode, Param, Post, Put, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { NetworkService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { SessionIdDto } from '../sessions/sessions.dto';
import { NoQueryGuard } from '../validation/no-query.guard';
import { CheckNetworkDto, NetworkCheckDto, NetworkDto, SetNetworkDto } from './network.dto';

@ApiTags('network')
@UseGuards(NoQueryGuard)
@Controller()
export class NetworkController {
  constructor(private readonly network: NetworkService) {}

  @Get('sessions/:session_id/network')
  @ApiOperation({ summary: 'See what a session may reach, and has reached', description: 'Does not prolong the session.' })
  @ApiOkResponse({ type: NetworkDto, description: 'Its rules, its last connections and refusals' })
  @ApiProblems(...PROBLEMS.GUARDED, 'BAD_REQUEST', 'SESSION_NOT_FOUND')
  get(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto): Promise<NetworkDto> {
    return this.network.getNetwork(user, session_id);
  }

  @Put('sessions/:session_id/network')
  @ApiOperation({
    summary: 'Change what a session may reach',
    description: 'Takes the place of its rules at once: open connections that they do not allow are cut. Counts as a use of the session.',
  })
  @ApiOkResponse({ type: NetworkDto, description: 'The rules hold' })
  @ApiProblems(...PROBLEMS.GUARDED, ...PROBLEMS.JSON_BODY, 'SESSION_NOT_FOUND', 'RUNTIME_UNAVAILABLE')
  set(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto, @Body() { allow }: SetNetworkDto): Promise<NetworkDto> {
    return this.network.setNetwork(user, session_id, { allow });
  }

  @Post('network/check')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Ask whether a server could be reached',
    description: 'Resolves the name if it is allowed, and connects to nothing.',
  })
  @ApiOkResponse({ type: NetworkCheckDto, description: 'What would happen, and why' })
  @ApiProblems(...PROBLEMS.GUARDED, ...PROBLEMS.JSON_BODY, 'SESSION_NOT_FOUND')
  check(@CurrentUser() user: User, @Body() { session_id, host, port }: CheckNetworkDto): Promise<NetworkCheckDto> {
    return this.network.checkTarget(user, host, port, session_id);
  }
}
