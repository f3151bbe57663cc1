import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, SETUPS } from '../support/service/cluster';
import { eventually } from '../support/service/processes';

jest.setTimeout(420_000);

interface SessionBody {
  session_id: string;
  container_id: string;
  session_created?: boolean;
  created_at: string;
  last_used_at: string;
  expires_at: string;
  image: string;
}

describe.each(SETUPS)('The service, for sessions (%s)', (setup) => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(setup, { MAX_EXEC_TIMEOUT_SECONDS: '20' });
  });
  afterAll(() => cluster?.stop());

  const create = (session_id: string) => cluster.alice.request<SessionBody>('POST', '/sessions', { session_id });
  const get = (id: string) => cluster.alice.request<SessionBody>('GET', `/sessions/${encodeURIComponent(id)}`);

  it('creates a session once when ten ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => create('once')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.container_id)).size).toBe(1);
    const container_id = expect.stringMatching(/^[0-9a-f]{12}$/) as string;
    for (const { body } of answers)
      expect(body).toEqual({ session_id: 'once', container_id, session_created: expect.any(Boolean), session_restarted: false });
    // Only the call that made the session says so.
    expect(answers.filter(({ body }) => body.session_created)).toHaveLength(1);
    expect(await cluster.deployment.containers()).toHaveLength(1);
    await cluster.alice.deleteSession('once');
  });

  it('does not prolong a session when it shows or lists it', async () => {
    await create('look');
    const first = await get('look');
    expect(first).toMatchObject({
      status: 200,
      body: { session_id: 'look', container_id: expect.stringMatching(/^[0-9a-f]{12}$/), image: expect.any(String) },
    });
    for (const time of [first.body.created_at, first.body.last_used_at, first.body.expires_at]) {
      expect(new Date(time).toISOString()).toBe(time);
    }
    expect(Date.parse(first.body.expires_at) - Date.parse(first.body.last_used_at)).toBe(600_000);
    await sleep(50);
    expect((await get('look')).body.expires_at).toBe(first.body.expires_at);
    const { body } = await cluster.alice.request<{ sessions: SessionBody[] }>('GET', '/sessions');
    expect(body.sessions.filter((session) => session.session_id === 'look')).toEqual([first.body]);
    await cluster.alice.run('look', 'true');
    expect(Date.parse((await get('look')).body.expires_at)).toBeGreaterThan(Date.parse(first.body.expires_at));

    expect(await cluster.alice.deleteSession('look')).toMatchObject({ status: 200, body: { status: 'deleted', session_id: 'look' } });
    expect(await get('look')).toMatchObject({ status: 404, body: { code: 'SESSION_NOT_FOUND' } });
    expect(await cluster.alice.deleteSession('look')).toMatchObject({ status: 200 });
    expect(await cluster.alice.deleteSession('never was')).toMatchObject({ status: 200 });
    expect(await cluster.deployment.containers()).toEqual([]);
  });

  it.each([
    'a/b',
    '../..',
    '.',
    '..',
    'x y',
    'é€😀',
    '%2F',
    '%',
    '?q#f',
    '"quoted"',
    "it's",
    'new\nline',
    '*',
    'A',
    'a',
    'ä',
    'a\u0308',
    '😀'.repeat(256),
  ])('keeps a session’s name unchanged when it is %j', async (name) => {
    expect((await create(name)).body.session_id).toBe(name);
    // Clients normalise a path's `.` and `..`, escaped or not (URL standard). So only a body can
    // name these two.
    if (name !== '.' && name !== '..') {
      expect((await get(name)).body.session_id).toBe(name);
      expect((await cluster.alice.request('GET', cluster.alice.workspace(name))).status).toBe(200);
      expect(await cluster.alice.deleteSession(name)).toMatchObject({ status: 200, body: { session_id: name } });
      expect((await get(name)).status).toBe(404);
    }
  });

  it('keeps two sessions when two users choose one name', async () => {
    await cluster.alice.run('shared', 'echo alice > who');
    const bob = await cluster.bob.run('shared', 'cat who || echo nothing');
    expect(bob.stdout).toBe('nothing\n');
    await cluster.bob.deleteSession('shared');
    expect((await cluster.alice.run('shared', 'cat who')).stdout).toBe('alice\n');
  });

  it('tells a command when its session is deleted meanwhile', async () => {
    await create('cut off');
    const call = cluster.alice.execute('cut off', 'touch on; sleep 15', { timeout: 20 });
    await eventually('it runs', async () => (await cluster.alice.run('cut off', 'test -e on')).exit_code === 0);
    await cluster.alice.deleteSession('cut off');
    expect(await call).toMatchObject({ status: 409, body: { code: 'SESSION_DELETED' } });
  });

  it('answers every call when create, delete and execute come at once', async () => {
    const statuses = new Map<number, number>();
    const note = async (call: Promise<{ status: number; body: unknown }>): Promise<void> => {
      const { status, body } = await call;
      if (status >= 500) throw new Error(`${status} ${JSON.stringify(body)}`);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    };
    const race = async (name: string, rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all([
          note(create(name)),
          note(cluster.alice.execute(name, 'echo x')),
          sleep(Math.random() * 300).then(() => note(cluster.alice.deleteSession(name))),
          sleep(Math.random() * 300).then(() => note(cluster.alice.execute(name, 'echo y'))),
        ]);
        const containers = await cluster.deployment.containers();
        expect(containers.filter((container) => container.State === 'running').length).toBeLessThanOrEqual(20);
      }
    };
    // Runs the race in several sessions at a time, because each race is mostly waiting.
    const names = ['race 1', 'race 2', 'race 3', 'race 4'];
    await Promise.all(names.map((name) => race(name, cluster.redis ? 12 : 5)));
    expect(Object.fromEntries(statuses)).toMatchObject({ 200: expect.any(Number) });
    for (const name of names) await cluster.alice.deleteSession(name);
    const { body } = await cluster.alice.request<{ sessions: SessionBody[] }>('GET', '/sessions');
    const left = body.sessions.map((session) => session.session_id);
    for (const name of names) expect(left).not.toContain(name);
  });
});
