import { All, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { ErrorCode as RpcErrorCode } from '@modelcontextprotocol/sdk/types.js';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { User } from '@sandbox/sessions';
import type { Request, Response } from 'express';
import { CurrentUser } from '../auth/current-user.decorator';
import { ClientSignal } from '../http/client-signal.decorator';
import { McpServerFactory } from './mcp-server.factory';
import { ALLOWED_METHODS } from './origin.middleware';

/**
 * MCP's Streamable HTTP transport without sessions: one POST, one JSON answer. A call ends when its client goes away, for nobody could fetch
 * its answer later.
 */
@ApiExcludeController()
@Controller('mcp')
export class McpController {
  constructor(private readonly servers: McpServerFactory) {}

  @Post()
  async handle(
    @CurrentUser() user: User,
    @ClientSignal() signal: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    if (Array.isArray(request.body)) return rejectBatch(response);
    const server = this.servers.create({ user, signal, requestId: String(request.id) });
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
    try {
      await server.connect(transport);
      await transport.handleRequest(request, response, request.body);
    } finally {
      await server.close();
    }
  }

  /** GET would open a stream of the server's own messages and DELETE would end a session: there are neither. */
  @All()
  notAllowed(@Req() request: Request, @Res({ passthrough: true }) response: Response): never {
    response.setHeader('Allow', ALLOWED_METHODS);
    throw new SandboxError(ErrorCode.METHOD_NOT_ALLOWED, `This address takes ${ALLOWED_METHODS}, not ${request.method}.`);
  }
}

/** The protocol has none since 2025-06-18. Refused to older clients too: a batch would be many calls for one of the rate limit's. */
function rejectBatch(response: Response): void {
  const error = { code: RpcErrorCode.InvalidRequest, message: 'Invalid Request: batches are not supported' };
  response.status(400).json({ jsonrpc: '2.0', error, id: null });
}
