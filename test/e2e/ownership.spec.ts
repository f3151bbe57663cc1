import { Cluster, SETUPS } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import { Client } from '../support/service/service';

jest.setTimeout(180_000);

const SESSION = 'alice’s own/session';
const SECRET = 'alice-secret-content';

const JOBS = `/sessions/${encodeURIComponent(SESSION)}/jobs`;

interface OpenApi {
  paths: Record<string, Record<string, { security?: unknown[] }>>;
}

interface Tool {
  name: string;
}

/**
 * The request that bob sends to each route, with alice's session id in it. A new route without an
 * entry fails the test.
 */
const CALLS: Record<string, { query?: string; body?: object; form?: boolean; tar?: boolean } | 'public'> = {
  'post /execute': { body: { session_id: SESSION, command: 'cat secret; ls -A' } },
  'post /sessions': { body: { session_id: SESSION } },
  'get /sessions': {},
  'get /sessions/{session_id}': {},
  'delete /sessions/{session_id}': {},
  'patch /sessions/{session_id}': { body: { ttl_seconds: 1, metadata: { bob: 'was here' } } },
  'get /sessions/{session_id}/network': {},
  'put /sessions/{session_id}/network': { body: { allow: [] } },
  'post /network/check': { body: { session_id: SESSION, host: 'pypi.org', port: 443 } },
  'get /capabilities': {},
  'post /policy/check': { body: { session_id: SESSION, command: 'cat secret' } },
  'get /sessions/{session_id}/ports': {},
  'post /sessions/{session_id}/ports/{port}': { body: {} },
  'delete /sessions/{session_id}/ports/{port}': {},
  'get /sessions/{session_id}/workspace': {},
  'delete /sessions/{session_id}/workspace': { query: 'path=secret' },
  'get /sessions/{session_id}/workspace/content': { query: 'path=secret' },
  'put /sessions/{session_id}/workspace/content': { query: 'path=secret', body: { content: 'bob was here' } },
  'post /sessions/{session_id}/workspace/upload': { query: 'path=secret', form: true },
  'post /sessions/{session_id}/jobs': { body: { command: 'cat secret; ls -A' } },
  'get /sessions/{session_id}/jobs': {},
  'get /sessions/{session_id}/jobs/{job_id}': {},
  'delete /sessions/{session_id}/jobs/{job_id}': {},
  'get /sessions/{session_id}/jobs/{job_id}/output': {},
  'post /sessions/{session_id}/jobs/{job_id}/stdin': {},
  'post /sessions/{session_id}/jobs/{job_id}/signal': { body: { signal: 'SIGKILL' } },
  'get /sessions/{session_id}/workspace/stat': { query: 'path=secret' },
  'post /sessions/{session_id}/workspace/move': { body: { from: 'secret', to: 'taken', overwrite: true } },
  'post /sessions/{session_id}/workspace/mkdir': { body: { path: 'bob-was-here' } },
  'get /sessions/{session_id}/workspace/search': { query: 'pattern=.' },
  'get /sessions/{session_id}/workspace/watch': { query: 'path=secret' },
  'post /sessions/{session_id}/workspace/edit': { body: { path: 'secret', edits: [{ old: 'a', new: 'b', all: true }] } },
  'post /sessions/{session_id}/terminal': {},
  'get /sessions/{session_id}/workspace/archive': {},
  'put /sessions/{session_id}/workspace/archive': { query: 'path=secret', tar: true },
  'get /health': 'public',
  'get /ready': 'public',
};

/** Stands for the id of alice's job. */
const ALICE_JOB = 'alice-job';

const TOOL_CALLS: Record<string, object> = {
  create_session: {},
  delete_session: {},
  execute: { command: 'cat secret; ls -A' },
  expose_port: { port: 8080 },
  job_output: { job_id: ALICE_JOB },
  job_input: { job_id: ALICE_JOB, data: 'x' },
  job_stop: { job_id: ALICE_JOB },
  workspace_list: {},
  workspace_read: { path: 'secret' },
  workspace_write: { path: 'secret', content: 'bob was here' },
  workspace_delete: { path: 'secret' },
  workspace_search: { pattern: '.' },
  workspace_edit: { path: 'secret', edits: [{ old: 'a', new: 'b', all: true }] },
};

describe.each(SETUPS)('The service, for a session of another user (%s)', (setup) => {
  let cluster: Cluster;
  let aliceContainer: string;
  let aliceJob: string;

  beforeAll(async () => {
    cluster = await Cluster.start(setup);
    ({ container_id: aliceContainer } = await cluster.alice.run(SESSION, `printf ${SECRET} > secret`));
    const job = { command: 'cat secret; sleep 1000', open_stdin: true };
    const { body } = await cluster.alice.request<{ job_id: string }>('POST', JOBS, job);
    aliceJob = body.job_id;
  });
  afterAll(() => cluster?.stop());

  /** Expects that alice's session is unchanged, and that `answer` has nothing of its content. */
  async function untouched(answer: string): Promise<void> {
    expect(answer).not.toContain(SECRET);
    expect(answer).not.toContain(aliceContainer);
    expect(answer).not.toContain(aliceJob);
    expect((await cluster.alice.request('GET', `${JOBS}/${aliceJob}`)).body).toMatchObject({ state: 'running' });
    const { stdout, container_id, session_restarted } = await cluster.alice.run(SESSION, 'cat secret; ls -A');
    expect({ stdout, container_id, session_restarted }).toEqual({
      stdout: `${SECRET}secret\n`,
      container_id: aliceContainer,
      session_restarted: false,
    });
  }

  it('shows and changes nothing of it when any REST route is called, and refuses a call without a credential', async () => {
    const { body } = await cluster.alice.request<OpenApi>('GET', '/openapi.json');
    const routes = Object.entries(body.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    expect(routes.sort()).toEqual(Object.keys(CALLS).sort());
    for (const route of routes) {
      const call = CALLS[route]!;
      const [method, path] = route.split(' ') as [string, string];
      if (call === 'public') {
        // The first /ready tries the image, and may answer that the result is not known yet.
        await eventually(`${route} is open`, async () => (await new Client(cluster.bob.url, {}).send('GET', path)).status === 200);
        continue;
      }
      const url = `${path.replace('{session_id}', encodeURIComponent(SESSION)).replace('{job_id}', aliceJob).replace('{port}', '8080')}${call.query ? `?${call.query}` : ''}`;
      const form = new FormData();
      form.append('file', new Blob(['bob was here']), 'secret');
      const send = (headers: Record<string, string>): Promise<Response> =>
        new Client(cluster.bob.url, headers).send(method.toUpperCase(), url, {
          headers: {
            ...(call.body && { 'Content-Type': 'application/json' }),
            ...(call.tar && { 'Content-Type': 'application/x-tar' }),
          },
          body: call.form ? form : call.tar ? Buffer.alloc(1024) : call.body && JSON.stringify(call.body),
        });
      const anonymous = await send({});
      expect([route, anonymous.status, anonymous.headers.get('content-type')]).toEqual([
        route,
        401,
        expect.stringMatching(/^application\/problem\+json/),
      ]);
      expect(anonymous.headers.get('www-authenticate')).toBeTruthy();
      const asBob = await send(cluster.bob.headers);
      expect([route, asBob.status < 500]).toEqual([route, true]);
      await untouched(await asBob.text());
    }
  });

  it('shows and changes nothing of it when any MCP tool is called, and refuses a call without a credential', async () => {
    const rpc = async (method: string, params: object, headers: Record<string, string> = cluster.bob.headers): Promise<Response> =>
      new Client(cluster.bob.url, headers).send('POST', '/mcp/', {
        headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      });
    const listed = (await (await rpc('tools/list', {})).json()) as { result: { tools: Tool[] } };
    const names = listed.result.tools.map((tool) => tool.name);
    expect(names.sort()).toEqual(Object.keys(TOOL_CALLS).sort());
    expect((await rpc('tools/list', {}, {})).status).toBe(401);
    for (const name of names) {
      const args = JSON.parse(JSON.stringify(TOOL_CALLS[name]).replaceAll(ALICE_JOB, aliceJob)) as object;
      const params = { name, arguments: { session_id: SESSION, ...args } };
      expect((await rpc('tools/call', params, {})).status).toBe(401);
      await untouched(await (await rpc('tools/call', params)).text());
    }
  });
});
