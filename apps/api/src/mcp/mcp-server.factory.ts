import { Inject, Injectable } from '@nestjs/common';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { CallToolRequestSchema, ErrorCode as RpcErrorCode, ListToolsRequestSchema, McpError } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { CONFIG, type Config } from '@sandbox/config';
import { firstCharacters } from '@sandbox/text';
import { z } from 'zod';
import { ProgressNotes } from './progress-notes';
import { serverInstructions } from './tools/server-instructions';
import { SandboxTools } from './tools/sandbox-tools';
import type { ToolCaller } from './tools/tool';

// Params are left to the SDK's own check of a tool call, which answers -32602; a schema that fails
// here would be an internal error.
const ToolCall = CallToolRequestSchema.extend({ params: z.unknown() });

/** Of the tools’ arguments and results, as the OpenAPI document has one of REST’s. */
const INTERFACE_VERSION = '1';

/**
 * What the server does not have, and does not say it has. Clients that ask all the same would show
 * an error as a broken server.
 */
const EMPTY_LISTS: ReadonlyMap<string, Record<string, never[]>> = new Map<string, Record<string, never[]>>([
  ['resources/list', { resources: [] }],
  ['resources/templates/list', { resourceTemplates: [] }],
  ['prompts/list', { prompts: [] }],
]);

@Injectable()
export class McpServerFactory {
  /** Unused without elicitation, but each Server makes itself one (0.3 ms) unless it is given. */
  private readonly jsonSchemaValidator = new AjvJsonSchemaValidator();
  private readonly instructions: string;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly tools: SandboxTools,
  ) {
    this.instructions = serverInstructions(config);
  }

  /**
   * A server for one request, whose client may be behind in reading: with no state between
   * requests, any replica can answer any of them.
   */
  create(caller: ToolCaller, isBehind?: () => boolean): Server {
    const server = new Server(
      { name: this.config.APP_NAME, version: INTERFACE_VERSION },
      { capabilities: { tools: { listChanged: false } }, instructions: this.instructions, jsonSchemaValidator: this.jsonSchemaValidator },
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
        // A client that is gone ends the call by its signal.
        const params = { progressToken, progress, ...(message !== undefined && { message }) };
        sendNotification({ method: 'notifications/progress', params }).catch(() => undefined);
      }, isBehind);
      return tool.call(args, { ...caller, onOutput: notes.add }).finally(() => notes.end());
    });
    server.fallbackRequestHandler = async ({ method }) => {
      const list = EMPTY_LISTS.get(method);
      if (list === undefined) throw new McpError(RpcErrorCode.MethodNotFound, 'Method not found');
      return list;
    };
    return server;
  }
}
