import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js';
import { type CallToolResult, CallToolResultSchema, type Tool } from '@modelcontextprotocol/sdk/types.js';
import { closed, schemaFaults } from '../json-schema';
import { wellFormed } from '../well-formed';
import type { Service } from './service';

/**
 * A user of the MCP server with the official client. Checks every answer against the output schema
 * of its tool, as plain JSON Schema. An answer may hold nothing that the schema does not name.
 */
export class Tools {
  private constructor(
    private readonly client: Client,
    private readonly listed: ReadonlyMap<string, Tool>,
  ) {}

  static connect(service: Service, apiKey: string): Promise<Tools> {
    return Tools.connectTo(`${service.url}/mcp/`, { 'X-API-Key': apiKey });
  }

  static async connectTo(url: string, headers: Record<string, string>): Promise<Tools> {
    const client = new Client({ name: 'e2e', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
    const { tools } = await client.listTools();
    return new Tools(client, new Map(tools.map((tool) => [tool.name, tool])));
  }

  async call(name: string, args: Record<string, unknown>, options?: RequestOptions): Promise<CallToolResult> {
    const result = wellFormed(CallToolResultSchema.parse(await this.client.callTool({ name, arguments: args }, undefined, options)));
    const faults = answerFaults(this.listed.get(name), result);
    if (faults.length > 0) throw new Error(`the answer of ${name} breaks its schema: ${faults.join('; ')} ${JSON.stringify(result)}`);
    return result;
  }

  /** @returns the text that a model reads, whether the call failed or not */
  async text(name: string, args: Record<string, unknown>): Promise<string> {
    const { content } = await this.call(name, args);
    return content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  }

  /** @returns the text of a resource */
  async resource(uri: string): Promise<string> {
    const { contents } = await this.client.readResource({ uri });
    return contents.map((each) => ('text' in each ? each.text : '')).join('');
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** @returns what is wrong with the structured content of an answer; empty if nothing is */
export function answerFaults(tool: Tool | undefined, { isError, structuredContent }: CallToolResult): string[] {
  if (isError === true) return structuredContent === undefined ? [] : ['an error has no structured content'];
  if (tool?.outputSchema === undefined) return ['the tool has no output schema'];
  return schemaFaults(closed(tool.outputSchema), structuredContent);
}
