import { Body, Controller, Delete, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { PortsService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { PreviewHosts } from '../previews/preview-hosts';
import { ClientSignal } from '../request/client-signal.decorator';
import { SessionIdDto } from '../sessions/sessions.dto';
import { NoQueryGuard } from '../validation/no-query.guard';
import { exposePort } from './expose-port';
import { ExposedPortDto, ExposePortDto, PortDto, PortListDto } from './ports.dto';

const SESSION = [...PROBLEMS.GUARDED, 'BAD_REQUEST', 'SESSION_NOT_FOUND'] as const;

@ApiTags('ports')
@Controller('sessions/:session_id/ports')
@UseGuards(NoQueryGuard)
export class PortsController {
  constructor(
    private readonly ports: PortsService,
    private readonly hosts: PreviewHosts,
  ) {}

  @Get()
  @ApiOperation({ summary: 'List the ports on which programs listen', description: 'In a live session. Counts as a use of it.' })
  @ApiOkResponse({ type: PortListDto, description: 'Its ports' })
  @ApiProblems(...SESSION, 'TOO_MANY_COMMANDS', 'SANDBOX_LOST', 'SANDBOX_UNRESPONSIVE', 'SANDBOX_EXHAUSTED', 'RUNTIME_UNAVAILABLE')
  async list(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto, @ClientSignal() signal: AbortSignal): Promise<PortListDto> {
    return { ports: await this.ports.listPorts(user, session_id, signal) };
  }

  @Post(':port')
  @HttpCode(201)
  @ApiOperation({
    summary: 'Get a URL for a port',
    description:
      'For a browser, and for everybody who gets the URL: HTTP/1.1 and WebSockets to the program, which sees `Host: localhost:{port}`. It holds for the sandbox that the session has now, until it expires or DELETE. It keeps a live session alive while it is used, and never makes one. ' +
      'For your own programs, with the usual credentials and without a URL: any method at `/sessions/{session_id}/ports/{port}/proxy/…` (no cookies), and a WebSocket at `/sessions/{session_id}/ports/{port}/tcp` whose binary frames are the bytes of one TCP connection.',
  })
  @ApiCreatedResponse({ type: ExposedPortDto, description: 'The URL. A session has 64: one more ends the one that expires first' })
  @ApiProblems(...SESSION, ...PROBLEMS.JSON_BODY)
  expose(@CurrentUser() user: User, @Param() { session_id, port }: PortDto, @Body() body: ExposePortDto): Promise<ExposedPortDto> {
    return exposePort(this.ports, this.hosts, user, session_id, port, body);
  }

  @Delete(':port')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Revoke the URLs of a port',
    description: 'All of them; connections that are open by them break off within some seconds. Idempotent.',
  })
  @ApiNoContentResponse({ description: 'They are worth nothing any more' })
  @ApiProblems(...PROBLEMS.GUARDED, 'BAD_REQUEST')
  revoke(@CurrentUser() user: User, @Param() { session_id, port }: PortDto): Promise<void> {
    return this.ports.revokePort(user, session_id, port);
  }
}
