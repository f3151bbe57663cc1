import { All, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { ErrorCode as RpcErrorCode } from '@modelcontextprotocol/sdk/types.js';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { User } from '@sandbox/sessions';
import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import { CurrentUser } from '../auth/current-user.decorator';
import { ClientSignal } from '../http/client-signal.decorator';
import { Cancellations } from './cancellations';
import { McpServerFactory } from './mcp-server.factory';
import { CLIENT_ID_HEADER, cancelledRequest, clientId, isInitialize, toolCallId, wantsProgress } from './messages';
import type { ToolCaller } from './tools/tool';
import { ALLOWED_METHODS } from './origin.middleware';

/**
 * MCP's Streamable HTTP transport without state between requests: one POST, one answer, which any replica can give. It is JSON, or, where the
 * client asks for progress, a stream of events. A call ends when its client cancels it or goes away, for nobody could fetch its answer later.
 *
 * The session id that a client gets means nothing to the server: it tells a user's clients apart when one of them cancels a call.
 */
@ApiExcludeController()
@Controller('mcp')
export class McpController {
  constructor(
    private readonly servers: McpServerFactory,
    private readonly cancellations: Cancellations,
  ) {}

  @Post()
  async handle(
    @CurrentUser() user: User,
    @ClientSignal() signal: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const message: unknown = request.body;
    if (Array.isArray(message)) return rejectBatch(response);
    const client = clientId(request);
    if (isInitialize(message)) response.setHeader(CLIENT_ID_HEADER, randomUUID());
    const cancelled = cancelledRequest(message);
    if (client !== null && cancelled !== null) await this.cancellations.cancel({ user, client, requestId: cancelled });
    const requestId = toolCallId(message);
    const call = client === null || requestId === null ? null : this.cancellations.watch({ user, client, requestId }, signal);
    try {
      await this.answer({ user, signal: call?.signal ?? signal, requestId: request.id }, request, response);
    } finally {
      call?.done();
    }
  }

  private async answer(caller: ToolCaller, request: Request, response: Response): Promise<void> {
    const server = this.servers.create(caller, () => response.writableNeedDrain);
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: undefined,
      enableJsonResponse: !wantsProgress(request.body),
    });
    // An answer of events goes on after the request is handled.
    const answered = new Promise((resolve) => response.once('close', resolve));
    try {
      await server.connect(transport);
      await transport.handleRequest(request, response, request.body);
      await answered;
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
