import { Controller, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentIdentity } from '../auth/current-user.decorator';
import type { Identity } from '../auth/identity';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { SessionIdDto } from '../sessions/sessions.dto';
import { NoQueryGuard } from '../validation/no-query.guard';
import { TerminalTicketDto } from './terminal.dto';
import { TerminalTickets } from './terminal-tickets';

@ApiTags('terminals')
@Controller('sessions/:session_id/terminal')
export class TerminalController {
  constructor(private readonly tickets: TerminalTickets) {}

  @Post()
  @HttpCode(201)
  @UseGuards(NoQueryGuard)
  @ApiOperation({
    summary: 'Get a ticket for a terminal',
    description:
      'A terminal is a WebSocket at `/sessions/{session_id}/terminal?cols=80&rows=24&command=`, opened with the usual headers or, from a browser, with a ticket in the query string. Binary frames are bytes, both ways. Text frames are JSON: from the server `{type: "open", terminal, offset}`, `{type: "gap", bytes}`, `{type: "exit", exit_code}` and `{type: "error", problem}`; from the client `{type: "resize", cols, rows}`. `command` is by default bash, or sh if the image has no bash. A connection that breaks may come back within 60 s with `terminal` and `since`, the offset of the first byte it has not seen; 256 KiB are kept for it.',
  })
  @ApiCreatedResponse({ type: TerminalTicketDto, description: 'The ticket' })
  @ApiProblems(...PROBLEMS.GUARDED, 'BAD_REQUEST', ...PROBLEMS.JSON_BODY)
  async ticket(@CurrentIdentity() identity: Identity, @Param() { session_id }: SessionIdDto): Promise<TerminalTicketDto> {
    const ticket = await this.tickets.issue(identity, session_id);
    return { ticket, url: `/sessions/${encodeURIComponent(session_id)}/terminal?ticket=${ticket}` };
  }
}
