import { Cluster, REPLICATED, SETUPS } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import { ALICE, type Client } from '../support/service/service';

jest.setTimeout(180_000);

interface Problem {
  code: string;
  detail: string;
  limit?: string;
  max?: number;
}

describe.each(SETUPS)('The service, at limits (%s)', (setup) => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(setup, {
      MAX_SESSIONS: '4',
      MAX_SESSIONS_PER_USER: '3',
      MAX_CONCURRENT_COMMANDS_PER_SESSION: '3',
      MAX_CONCURRENT_COMMANDS_PER_USER: '4',
      CREATE_CONCURRENCY: '2',
    });
  });
  afterAll(() => cluster?.stop());

  const create = (session_id: string, client = cluster.alice) => client.request<Problem>('POST', '/sessions', { session_id });

  it('refuses a session when its user or the host has too many', async () => {
    const all = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => create(id)));
    const refused = all.filter(({ status }) => status !== 200);
    expect(refused).toHaveLength(3);
    for (const { status, body, headers } of refused) {
      expect([status, body.code, body.limit, body.max]).toEqual([429, 'TOO_MANY_SESSIONS', 'MAX_SESSIONS_PER_USER', 3]);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    // Any call that would begin a session is refused. A session that exists can still be used.
    expect(await cluster.alice.execute('g', 'true')).toMatchObject({ status: 429, body: { code: 'TOO_MANY_SESSIONS' } });
    const [live] = (await cluster.alice.request<{ sessions: { session_id: string }[] }>('GET', '/sessions')).body.sessions;
    expect((await cluster.alice.run(live!.session_id, 'echo on')).stdout).toBe('on\n');
    expect((await create('a', cluster.bob)).status).toBe(200);
    const full = await create('b', cluster.bob);
    expect([full.status, full.body.code, full.headers.get('retry-after')]).toEqual([503, 'HOST_FULL', '10']);
    // The answer does not say how many sessions others have.
    expect(full.body.limit).toBeUndefined();
    await cluster.bob.deleteSession('a');
    await cluster.alice.deleteSession(live!.session_id);
    expect((await create('g')).status).toBe(200);
    expect(await cluster.deployment.containers()).toHaveLength(3);
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await cluster.alice.deleteSession(id);
  });

  it('refuses a command when its session or its user runs too many', async () => {
    // Each runs until it is told to end. Files show that all have begun, because a command that
    // asks would take a place itself.
    const run = (session: string, name: string) =>
      cluster.alice.execute<Problem>(session, `touch ${name}; until [ -e go ]; do sleep 0.1; done`, { timeout: 60 });
    const listed = async (session: string) =>
      (await cluster.alice.request<{ entries: unknown[] }>('GET', cluster.alice.workspace(session))).body.entries.length;
    for (const session of ['one', 'two']) await cluster.alice.run(session, 'true');
    const running = [run('one', 'a'), run('one', 'b'), run('one', 'c'), run('two', 'd')];
    await eventually('all run', async () => (await listed('one')) === 3 && (await listed('two')) === 1);
    const ofSession = await cluster.alice.execute<Problem>('one', 'true');
    expect(ofSession).toMatchObject({
      status: 429,
      body: { code: 'TOO_MANY_COMMANDS', limit: 'MAX_CONCURRENT_COMMANDS_PER_SESSION', max: 3 },
    });
    const ofUser = await cluster.alice.execute<Problem>('two', 'true');
    expect(ofUser).toMatchObject({ status: 429, body: { code: 'TOO_MANY_COMMANDS', limit: 'MAX_CONCURRENT_COMMANDS_PER_USER', max: 4 } });
    expect(ofUser.headers.get('retry-after')).toBe('1');
    const streamed = await cluster.alice.execute<Problem>(
      'two',
      'true',
      {},
      { headers: { Accept: 'text/event-stream', 'Content-Type': 'application/json' } },
    );
    expect(streamed.status).toBe(429);
    // The limit is for commands, not for file calls, and each user has a limit of their own.
    expect((await cluster.alice.request('GET', cluster.alice.workspace('one'))).status).toBe(200);
    expect((await cluster.bob.run('one', 'echo on')).stdout).toBe('on\n');
    for (const session of ['one', 'two']) {
      expect((await cluster.alice.request('PUT', cluster.alice.workspace(session, 'go', true), { content: '' })).status).toBe(204);
    }
    for (const { status } of await Promise.all(running)) expect(status).toBe(200);
    expect((await cluster.alice.run('one', 'echo on')).stdout).toBe('on\n');
    for (const id of ['one', 'two']) await cluster.alice.deleteSession(id);
    await cluster.bob.deleteSession('one');
  });
});

describe('The service, at limits of commands,', () => {
  it('stops counting commands when their process was killed, and counts those that run', async () => {
    const cluster = await Cluster.start(REPLICATED, { MAX_CONCURRENT_COMMANDS_PER_USER: '2' });
    try {
      const [victim, other] = cluster.services.map((service) => service.client(ALICE));
      await victim!.run('s', 'true');
      const leave = new AbortController();
      const run = (client: Client, name: string) =>
        client.execute('s', `touch ${name}; sleep 100`, { timeout: 100 }, { signal: leave.signal }).catch(() => undefined);
      const begun = async (names: string[]) => {
        const { body } = await other!.request<{ entries: { name: string }[] }>('GET', other!.workspace('s'));
        return names.every((name) => body.entries.some((entry) => entry.name === name));
      };
      const calls = [run(victim!, 'one'), run(other!, 'two')];
      await eventually('both run', () => begun(['one', 'two']));
      expect((await other!.execute('s', 'true')).status).toBe(429);
      await cluster.services[0]!.stop('SIGKILL');
      // The dead process no longer says that its command runs. The other process still says so of
      // its own.
      await eventually('there is room again', async () => (await other!.execute('s', 'true')).status === 200, 60);
      calls.push(run(other!, 'three'));
      await eventually('another runs', () => begun(['three']));
      expect((await other!.execute('s', 'true')).status).toBe(429);
      leave.abort();
      await Promise.all(calls);
    } finally {
      await cluster.stop();
    }
  });
});

/** Tells how many commands have begun half a second after this one. */
const COUNTED = 'echo x >> ran; sleep 0.5; wc -l < ran';

describe.each(SETUPS)('The service, when a budget is used up by calls that come at once (%s)', (setup) => {
  it('runs exactly as many commands as the budget has', async () => {
    const cluster = await Cluster.start(setup, { RATE_LIMIT_REQUESTS: '6', MAX_CONCURRENT_COMMANDS_PER_SESSION: '20' });
    try {
      await cluster.alice.run('one', 'true');
      const commands = Array.from({ length: 15 }, () => cluster.alice.execute<Problem & { stdout: string }>('one', COUNTED));
      const answers = await Promise.all(commands);
      const ran = answers.filter(({ status }) => status === 200);
      expect(ran).toHaveLength(5);
      expect(Math.max(...ran.map(({ body }) => Number(body.stdout)))).toBe(5);
      for (const { body, headers } of answers.filter(({ status }) => status !== 200)) {
        expect(body.code).toBe('RATE_LIMITED');
        expect(headers.get('retry-after')).toBe(headers.get('ratelimit-reset'));
      }
    } finally {
      await cluster.stop();
    }
  });
});
