import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { Tools } from './mcp';
import { TestDeployment } from './deployment';
import { ALICE, type Client, type Env, Service } from './service';

/** The result of a command, as a caller reads it by REST or MCP. */
export interface Outcome {
  stdout: string;
  stderr: string;
  exit_code: number;
}

/** A command that the service refused. */
export interface Refused {
  code: string;
  detail: string;
}

type RunCommand = (session: string, command: string, more?: object) => Promise<Outcome | Refused>;

/**
 * One service, and its `execute` by REST and by the official MCP client. So one table of commands
 * runs both ways.
 */
export class CommandService {
  private constructor(
    readonly deployment: TestDeployment,
    private readonly env: Env,
    private service: Service,
    private tools: Tools,
  ) {}

  /** @param env settings that differ from the tests' usual ones */
  static async start(env: Env = {}): Promise<CommandService> {
    const deployment = new TestDeployment();
    const service = await Service.start({ deployment, env });
    return new CommandService(deployment, env, service, await Tools.connect(service, ALICE));
  }

  get rest(): Client {
    return this.service.client(ALICE);
  }

  /** Runs a command, by name of the way. */
  readonly ways: Readonly<Record<'REST' | 'MCP', RunCommand>> = {
    REST: async (session, command, more) => {
      const { body } = await this.rest.execute(session, command, more);
      return outcomeOf(body as unknown as Record<string, unknown>);
    },
    MCP: async (session_id, command, more) => {
      const result = await this.tool('execute', { session_id, command, ...more });
      return outcomeOf(result.structuredContent ?? refusalIn(result.content));
    },
  };

  /**
   * Calls an MCP tool.
   * @returns the whole result
   */
  tool(name: string, args: Record<string, unknown>): Promise<CallToolResult> {
    return this.tools.call(name, args);
  }

  /** Kills the service, and starts another with an empty store for the same sandboxes. */
  async restart(): Promise<void> {
    await this.tools.close();
    await this.service.stop('SIGKILL');
    this.service = await Service.start({ deployment: this.deployment, env: this.env });
    this.tools = await Tools.connect(this.service, ALICE);
  }

  async stop(): Promise<void> {
    await this.tools.close();
    await this.service.stop('SIGKILL');
    await this.deployment.removeAll();
  }
}

function outcomeOf(body: Record<string, unknown>): Outcome | Refused {
  const { stdout, stderr, exit_code, code, detail } = body;
  return (code === undefined ? { stdout, stderr, exit_code } : { code, detail }) as Outcome | Refused;
}

/** Reads the text of a refused call, `CODE: detail`. */
function refusalIn(content: readonly unknown[]): Record<string, unknown> {
  const [first] = content as { text?: string }[];
  const [, code, detail] = /^([A-Z_]+): ([^]*)$/.exec(first?.text ?? '') ?? [];
  return { code, detail };
}
