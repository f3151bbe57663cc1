import { All, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import {
  ErrorCode as RpcErrorCode,
  isInitializeRequest,
  isJSONRPCRequest,
  type JSONRPCMessage,
  type JSONRPCRequest,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/sdk/types.js';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { User } from '@sandbox/sessions';
import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import { CurrentUser } from '../auth/current-user.decorator';
import { ClientSignal } from '../request/client-signal.decorator';
import { Cancellations } from './cancellations';
import { HttpExchange } from './http-exchange';
import { McpServerFactory } from './mcp-server.factory';
import { type Budget, toldBudget } from '../rate-limit/budget';
import { EntersSession } from '../rate-limit/enters-session.decorator';
import { canBeAnswered, CLIENT_ID_HEADER, cancelledRequest, clientId, readMessage } from './messages';
import type { ToolCaller } from './tools/tool';
import { ALLOWED_METHODS } from '../server/origin.middleware';

/**
 * MCP's Streamable HTTP transport without state between requests. Each POST gets one answer, from
 * any replica. A call ends when its client cancels it or goes away, because nobody could fetch the
 * answer later.
 *
 * The session id that a client gets means nothing to the server. It only tells a user's clients
 * apart when one of them cancels a call.
 */
@ApiExcludeController()
@Controller('mcp')
export class McpController {
  constructor(
    private readonly servers: McpServerFactory,
    private readonly cancellations: Cancellations,
  ) {}

  @Post()
  @EntersSession()
  async handle(
    @CurrentUser() user: User,
    @ClientSignal() signal: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const message = readMessage(request.body);
    const fault = faultOf(message, request);
    if (message === null || fault !== null) {
      await user.allowance?.granted;
      return refuse(response, fault ?? NO_MESSAGE);
    }
    if (!this.servers.entersSession(message)) await user.allowance?.granted;
    if (isInitializeRequest(message)) response.setHeader(CLIENT_ID_HEADER, randomUUID());
    const client = clientId(request);
    const cancelled = cancelledRequest(message);
    if (client !== null && cancelled !== null) await this.cancellations.cancel({ user, client, requestId: cancelled });
    if (!isJSONRPCRequest(message)) return void response.status(202).end();
    const isCall = message.method === 'tools/call';
    const call = client === null || !isCall ? null : this.cancellations.watch({ user, client, requestId: message.id }, signal);
    try {
      const budget = (): Budget => toldBudget(response);
      await this.answer(message, { user, signal: call?.signal ?? signal, requestId: request.id, budget }, request, response);
    } finally {
      call?.done();
    }
  }

  private async answer(message: JSONRPCRequest, caller: ToolCaller, request: Request, response: Response): Promise<void> {
    const server = this.servers.create(caller, () => response.writableNeedDrain);
    const exchange = new HttpExchange(message, request, response, caller.user.allowance?.granted);
    try {
      await server.connect(exchange);
      exchange.receiveMessage();
      await exchange.answered;
    } finally {
      await server.close();
    }
  }

  /**
   * Refuses other methods. GET would open a stream of the server's own messages, and DELETE would
   * end a session. This server has neither.
   */
  @All()
  notAllowed(@Req() request: Request, @Res({ passthrough: true }) response: Response): never {
    response.setHeader('Allow', ALLOWED_METHODS);
    throw new SandboxError(ErrorCode.METHOD_NOT_ALLOWED, `This address takes ${ALLOWED_METHODS}, not ${request.method}.`);
  }
}

const NO_BATCHES = 'Invalid Request: batches are not supported';
const NO_MESSAGE = 'Invalid Request: not a JSON-RPC message {"jsonrpc": "2.0", "id": …, "method": …, "params": {…}}';
const NOT_UNICODE = 'Invalid Request: its id and progressToken have to be valid Unicode';
const UNKNOWN_VERSION = `Invalid Request: unsupported MCP-Protocol-Version; supported are ${SUPPORTED_PROTOCOL_VERSIONS.join(', ')}`;

/** Tells why a message is refused as a whole; null if it is not. */
function faultOf(message: JSONRPCMessage | null, request: Request): string | null {
  // The protocol has no batches since 2025-06-18. Older clients cannot send them either: a batch
  // would be many calls that the rate limit counts as one.
  if (Array.isArray(request.body)) return NO_BATCHES;
  if (message === null) return NO_MESSAGE;
  if (!canBeAnswered(message)) return NOT_UNICODE;
  return isInitializeRequest(message) || speaks(request) ? null : UNKNOWN_VERSION;
}

/** Whether the server knows the protocol version that the client has agreed to. */
function speaks(request: Request): boolean {
  const version = request.headers['mcp-protocol-version'];
  return version === undefined || (typeof version === 'string' && SUPPORTED_PROTOCOL_VERSIONS.includes(version));
}

/** Refuses a message that has no id to answer to. */
function refuse(response: Response, message: string): void {
  response.status(400).json({ jsonrpc: '2.0', error: { code: RpcErrorCode.InvalidRequest, message }, id: null });
}
