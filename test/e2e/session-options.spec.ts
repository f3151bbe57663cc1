import { Cluster, ONE_PROCESS, REPLICATED, SETUPS } from '../support/service/cluster';
import { itOnDocker, TEST_CLUSTER } from '../support/cluster-under-test';
import { docker } from '../support/service/deployment';
import { eventually } from '../support/service/processes';

jest.setTimeout(180_000);

interface Session {
  session_id: string;
  container_id: string;
  expires_at: string;
  last_used_at: string;
  image: string;
  memory: string;
  cpus: number;
  pids: number | null;
  persistent: boolean;
  ttl_seconds: number;
  metadata: Record<string, string>;
}

interface Problem {
  code: string;
  errors: { field: string; message: string }[];
}

describe.each(SETUPS)('The service, for session options (%s)', (setup) => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(setup, {
      ALLOWED_IMAGES: 'some-image:1, other-image:2',
      MAX_SESSION_MEMORY: '512m',
      MAX_SESSION_CPUS: '2',
      MAX_SESSION_TTL_SECONDS: '3600',
      ALLOW_PERSISTENT_SESSIONS: 'true',
      CLEANUP_INTERVAL_SECONDS: '1',
    });
  });
  afterAll(() => cluster?.stop());

  const create = <T = Session>(session_id: string, options: object = {}) =>
    cluster.alice.request<T>('POST', '/sessions', { session_id, ...options });
  const get = async (id: string): Promise<Session> => (await cluster.alice.request<Session>('GET', `/sessions/${id}`)).body;
  const fields = ({ body }: { body: Problem }) => body.errors.map(({ field }) => field).sort();

  itOnDocker('makes the sandbox as its options ask, and shows them, when a session has some', async () => {
    const options = { memory: '300m', cpus: 0.25, pids: 50, ttl_seconds: 120, metadata: { team: 'blue' } };
    const made = await create('own', options);
    expect(made.status).toBe(200);
    expect(await get('own')).toMatchObject({ ...options, persistent: false });
    const { HostConfig } = await docker.getContainer(made.body.container_id).inspect();
    expect(HostConfig).toMatchObject({ Memory: 300 * 1024 ** 2, CpuQuota: 25_000, PidsLimit: 50 });
    const { expires_at, last_used_at } = await get('own');
    expect(Date.parse(expires_at) - Date.parse(last_used_at)).toBe(120_000);
  });

  it('shows the limits of the deployment when a session asks for none', async () => {
    await create('usual');
    // Nothing bounds the processes of a pod.
    const pids = TEST_CLUSTER === null ? 128 : null;
    expect(await get('usual')).toMatchObject({ memory: '256m', cpus: 0.5, pids, persistent: false, ttl_seconds: 600, metadata: {} });
  });

  it('answers 409 when options differ from those of the session', async () => {
    const options = { memory: '300m', cpus: 0.5, env: { A: '1' }, ttl_seconds: 60, metadata: { a: 'b' } };
    const { container_id } = (await create('again', options)).body;
    for (const same of [{}, options, { memory: '307200k' }, { cpus: 0.5, persistent: false }]) {
      expect(await create('again', same)).toMatchObject({ status: 200, body: { container_id } });
    }
    const others = { memory: '301m', cpus: 0.4, env: { A: '2' }, ttl_seconds: 61, metadata: {} };
    const differing = await create<Problem>('again', others);
    expect(differing).toMatchObject({ status: 409, body: { code: 'SESSION_OPTIONS_DIFFER' } });
    expect(fields(differing)).toEqual(Object.keys(others).sort());
    expect(JSON.stringify(differing.body)).not.toContain('301m');
    // The same holds for a session that another call began.
    await cluster.alice.run('begun', 'true');
    expect(fields(await create<Problem>('begun', { cpus: 0.4, persistent: false }))).toEqual(['cpus']);
  });

  it('names every option when several are over the operator’s limits', async () => {
    const refused = await create<Problem>('refused', { image: 'x', memory: '513m', cpus: 2.5, pids: 129, ttl_seconds: 3601 });
    expect(refused).toMatchObject({ status: 422, body: { code: 'VALIDATION_FAILED' } });
    expect(fields(refused)).toEqual(['cpus', 'image', 'memory', 'pids', 'ttl_seconds']);
    expect(fields(await create<Problem>('refused', { memory: '200m' }))).toEqual(['memory']);
    expect((await cluster.alice.request('GET', '/sessions/refused')).status).toBe(404);
    // A persistent workspace is a volume and takes no memory. So less memory is enough.
    expect((await create('small', { memory: '112m', persistent: true })).status).toBe(200);
    await cluster.alice.deleteSession('small');
    // The image is allowed, but the engine does not have it. The failed session must not count.
    const absent = await create('absent', { image: 'some-image:1' });
    expect(absent).toMatchObject({ status: 503, body: { code: 'SANDBOX_IMAGE_UNUSABLE' } });
    expect((await cluster.alice.request<{ sessions: Session[] }>('GET', '/sessions')).body.sessions.map((s) => s.session_id)).not.toContain(
      'absent',
    );
  });

  it('gives a command the session’s variables when it has none of that name', async () => {
    await create('vars', { env: { A: 'session', B: 'it’s "b"' } });
    expect((await cluster.alice.run('vars', 'echo "$A $B"')).stdout).toBe('session it’s "b"\n');
    expect((await cluster.alice.run('vars', 'echo "$A $B"', { env: { A: 'own' } })).stdout).toBe('own it’s "b"\n');
    const { body: job } = await cluster.alice.request<{ job_id: string }>('POST', '/sessions/vars/jobs', { command: 'echo $A' });
    const output = await cluster.alice.request('GET', `/sessions/vars/jobs/${job.job_id}/output?wait_seconds=10`);
    expect(output.body).toMatchObject({ data: 'session\n' });
    // The values appear neither in the log nor in what a call shows of the session.
    for (const service of cluster.services) expect(service.child.output).not.toContain('it’s');
    expect(JSON.stringify(await get('vars'))).not.toContain('it’s');
  });

  itOnDocker('keeps options when the sandbox dies', async () => {
    const options = { pids: 60, env: { A: 'kept' }, metadata: { a: 'b' } };
    const { container_id } = (await create('dies', options)).body;
    await cluster.deployment.killContainer(container_id);
    const again = await cluster.alice.run('dies', 'echo $A');
    expect(again).toMatchObject({ stdout: 'kept\n', session_restarted: true });
    expect(await get('dies')).toMatchObject({ pids: 60, metadata: { a: 'b' } });
    expect((await docker.getContainer(again.container_id).inspect()).HostConfig.PidsLimit).toBe(60);
  });

  it('changes ttl_seconds and metadata when the session is live and one’s own', async () => {
    await create('changes', { metadata: { a: 'b' } });
    const patch = (settings: object, client = cluster.alice) => client.request<Session>('PATCH', '/sessions/changes', settings);
    const changed = await patch({ ttl_seconds: 1000 });
    expect(changed).toMatchObject({ status: 200, body: { ttl_seconds: 1000, metadata: { a: 'b' } } });
    expect(await patch({ metadata: { c: 'd' } })).toMatchObject({ body: { ttl_seconds: 1000, metadata: { c: 'd' } } });
    expect(await patch({ ttl_seconds: 3601 })).toMatchObject({ status: 422, body: { errors: [{ field: 'ttl_seconds' }] } });
    expect(await patch({ ttl_seconds: 5 }, cluster.bob)).toMatchObject({ status: 404, body: { code: 'SESSION_NOT_FOUND' } });
    expect(await get('changes')).toMatchObject({ ttl_seconds: 1000 });
    await patch({ ttl_seconds: 1 });
    await eventually('it has expired', async () => (await cluster.alice.request('GET', '/sessions/changes')).status === 404);
  });

  it('finds sessions when a filter matches their metadata', async () => {
    await create('red1', { metadata: { colour: 'red', n: '1' } });
    await create('red2', { metadata: { colour: 'red', n: 'a=b' } });
    const list = async (filter: string, client = cluster.alice): Promise<string[]> =>
      (await client.request<{ sessions: Session[] }>('GET', `/sessions?${filter}`)).body.sessions.map(({ session_id }) => session_id);
    expect(await list('metadata=colour%3Dred')).toEqual(['red1', 'red2']);
    expect(await list('metadata=colour%3Dred&metadata=n%3Da%3Db')).toEqual(['red2']);
    expect(await list('metadata=colour%3Dblue')).toEqual([]);
    expect(await list('metadata=colour%3Dred', cluster.bob)).toEqual([]);
  });

  it('keeps files when the sandbox of a persistent session ends', async () => {
    await create('kept', { persistent: true, ttl_seconds: 1 });
    await cluster.alice.run('kept', 'echo content > file');
    const gone = () => cluster.alice.request('GET', '/sessions/kept');
    await eventually('it has expired', async () => (await gone()).status === 404);
    // A call without options begins the session again, and it is persistent as before.
    expect((await cluster.alice.run('kept', 'cat file')).stdout).toBe('content\n');
    expect(await get('kept')).toMatchObject({ persistent: true });
    await cluster.alice.deleteSession('kept');
    expect((await cluster.alice.execute('kept', 'cat file')).body.exit_code).toBe(1);
    expect(await get('kept')).toMatchObject({ persistent: false });
  });

  it('takes the same options when they come by MCP', async () => {
    const call = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'create_session', arguments: { session_id: 'tool', cpus: 0.3 } },
    };
    const headers = { Accept: 'application/json, text/event-stream' };
    const { status } = await cluster.alice.request('POST', '/mcp/', call, { headers: { ...headers, 'Content-Type': 'application/json' } });
    expect(status).toBe(200);
    expect(await get('tool')).toMatchObject({ cpus: 0.3 });
  });
});

describe('The service, for session options,', () => {
  it('reads options from the sandbox when the store was flushed', async () => {
    const cluster = await Cluster.start(REPLICATED);
    try {
      const options = { cpus: 0.3, env: { A: 'kept' }, ttl_seconds: 100, metadata: { a: 'b' } };
      const { body } = await cluster.alice.request<Session>('POST', '/sessions', { session_id: 's', ...options });
      await cluster.redis!.flush();
      const answer = await cluster.alice.run('s', 'echo $A');
      expect(answer).toMatchObject({ stdout: 'kept\n', container_id: body.container_id, session_restarted: false });
      const { env: _, ...shown } = options;
      expect((await cluster.alice.request('GET', '/sessions/s')).body).toMatchObject(shown);
    } finally {
      await cluster.stop();
    }
  });

  it('refuses variables when the command policy is strict', async () => {
    const cluster = await Cluster.start(ONE_PROCESS, { ALLOWED_COMMANDS: 'echo,ls' });
    try {
      const made = await cluster.alice.request<Problem>('POST', '/sessions', { session_id: 's', env: { A: 'a[$(id)]' } });
      expect(made).toMatchObject({ status: 422, body: { errors: [{ field: 'env' }] } });
    } finally {
      await cluster.stop();
    }
  });
});
