import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Sandbox } from '../../dist/packages/client/src/index.js';
import { timeRow } from '../figures.mjs';
import { interleaved } from '../measure.mjs';
import { warmSession } from '../scenario-run.mjs';

export const name = 'mcp';
export const title = 'A warm command over MCP';

const CALL = { session_id: warmSession(0), command: 'true' };
/** The first calls make V8 compile what runs them, in both processes. They do not count. */
const WARM_UP_CALLS = { full: 1_500, quick: 200 };

/**
 * Compares the protocols as users have them, each with its client: the official one, and ours.
 * Both call by `fetch`, and keep their connections.
 */
export async function run(scope) {
  const { ports, key } = await scope.shared();
  const url = `http://127.0.0.1:${ports[0]}`;
  const client = await connect({ url, headers: { 'X-API-Key': key } });
  const sandbox = Sandbox.of(CALL.session_id, { url, apiKey: key });
  const sides = [() => overMcp(client), () => overRest(sandbox)];
  try {
    for (let call = 0; call < scope.pick(WARM_UP_CALLS.full, WARM_UP_CALLS.quick); call++) for (const side of sides) await side();
    const [ours, floor] = await interleaved(scope.pick(20, 6), ...sides.map((call) => ({ perRound: 50, call })));
    scope.row(
      timeRow({ what: '`execute` of `true` by the official client', ours, floor, floorName: 'POST /execute by our client', goal: 1.1 }),
    );
  } finally {
    await client.close();
  }
}

/** Connects as agents do: a client that has listed the tools checks each answer's schema. */
async function connect({ url, headers }) {
  const client = new Client({ name: 'bench', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp/`), { requestInit: { headers } }));
  await client.listTools();
  return client;
}

async function overMcp(client) {
  const { structuredContent } = await client.callTool({ name: 'execute', arguments: CALL });
  if (structuredContent?.exit_code !== 0) throw new Error('the tool did not run the command');
}

async function overRest(sandbox) {
  const { exitCode } = await sandbox.commands.run(CALL.command);
  if (exitCode !== 0) throw new Error('POST /execute did not run the command');
}
