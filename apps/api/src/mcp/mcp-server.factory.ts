import { Inject, Injectable } from '@nestjs/common';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  CallToolRequestSchema,
  ErrorCode as RpcErrorCode,
  type JSONRPCMessage,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { CONFIG, type Config } from '@sandbox/config';
import { firstCharacters } from '@sandbox/text';
import { z } from 'zod';
import { CAPABILITIES_RESOURCE, CapabilitiesResource } from './capabilities-resource';
import { ProgressNotes } from './progress-notes';
import { serverInstructions } from './tools/server-instructions';
import { SandboxTools } from './tools/sandbox-tools';
import type { ToolCaller } from './tools/tool';

// The SDK checks the params of a tool call itself and answers -32602. A schema that fails here
// would be an internal error.
const ToolCall = CallToolRequestSchema.extend({ params: z.unknown() });
const ResourceRead = ReadResourceRequestSchema.extend({ params: z.unknown().optional() });

/** The version of the tools' arguments and results. The OpenAPI document has one for REST. */
const INTERFACE_VERSION = '1';

/**
 * Empty lists of what the server does not offer. Some clients ask all the same, and would show an
 * error as a broken server.
 */
const EMPTY_LISTS: ReadonlyMap<string, Record<string, never[]>> = new Map<string, Record<string, never[]>>([
  ['resources/templates/list', { resourceTemplates: [] }],
  ['prompts/list', { prompts: [] }],
]);

/** Creates the MCP server of one request. */
@Injectable()
export class McpServerFactory {
  /**
   * Each Server creates a validator (0.3 ms) unless it is given one. Only elicitation would use it.
   */
  private readonly jsonSchemaValidator = new AjvJsonSchemaValidator();
  private readonly instructions: string;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly tools: SandboxTools,
    private readonly resource: CapabilitiesResource,
  ) {
    this.instructions = serverInstructions(config);
  }

  /** Whether the message calls a tool that enters a session before anything else. */
  entersSession(message: JSONRPCMessage): boolean {
    if (!('method' in message) || message.method !== 'tools/call') return false;
    const name: unknown = message.params?.name;
    return typeof name === 'string' && this.tools.find(name)?.entersSession === true;
  }

  /**
   * Creates a server for one request. It keeps no state between requests, so any replica can answer
   * any of them.
   * @param isBehind whether the client has not yet read what was sent to it
   */
  create(caller: ToolCaller, isBehind?: () => boolean): Server {
    const server = new Server(
      { name: this.config.APP_NAME, version: INTERFACE_VERSION },
      {
        capabilities: { tools: { listChanged: false }, resources: { listChanged: false } },
        instructions: this.instructions,
        jsonSchemaValidator: this.jsonSchemaValidator,
      },
    );
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: this.tools.list() }));
    server.setRequestHandler(ToolCall, async (request, { sendNotification }) => {
      const { name, arguments: args = {}, _meta } = CallToolRequestSchema.parse(request).params;
      const tool = this.tools.find(name);
      if (tool === undefined)
        throw new McpError(
          RpcErrorCode.InvalidParams,
          `Unknown tool: ${firstCharacters(name, 100)}; there are ${this.tools.names().join(', ')}`,
        );
      const progressToken = _meta?.progressToken;
      if (progressToken === undefined) return tool.call(args, caller);
      const notes = new ProgressNotes((progress, message) => {
        // If the client is gone, its signal ends the call.
        const params = { progressToken, progress, ...(message !== undefined && { message }) };
        sendNotification({ method: 'notifications/progress', params }).catch(() => undefined);
      }, isBehind);
      return tool.call(args, { ...caller, onOutput: notes.add }).finally(() => notes.endNotes());
    });
    server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: [CAPABILITIES_RESOURCE] }));
    server.setRequestHandler(ResourceRead, ({ params }) => {
      const { uri } = (params ?? {}) as { uri?: unknown };
      return this.resource.readResource(uri, caller.user, caller.budget(), caller.requestId);
    });
    server.fallbackRequestHandler = async ({ method }) => {
      const list = EMPTY_LISTS.get(method);
      if (list === undefined) throw new McpError(RpcErrorCode.MethodNotFound, 'Method not found');
      return list;
    };
    return server;
  }
}
