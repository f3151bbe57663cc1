import { Cluster, ONE_PROCESS, SETUPS } from '../../support/service/cluster';
import { CommandService } from '../../support/service/commands';
import { Events } from '../../support/service/events';
import { eventually } from '../../support/service/processes';
import { docker } from '../../support/service/deployment';
import { ALICE, type Client, type Executed, Service } from '../../support/service/service';

jest.setTimeout(240_000);

/** What an answer says about its session. */
type News = Pick<Executed, 'session_created' | 'session_restarted'>;
const news = ({ session_created, session_restarted }: News): News => ({ session_created, session_restarted });
const NOTHING: News = { session_created: false, session_restarted: false };
const CREATED: News = { session_created: true, session_restarted: false };
const RESTARTED: News = { session_created: false, session_restarted: true };

const restart = (containerId: string): Promise<unknown> => docker.getContainer(containerId).restart({ t: 0 });

describe.each(SETUPS)('The service, on %s,', (setup) => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start(setup);
  });
  afterAll(() => cluster?.stop());

  const run = async (session: string, command = 'ls'): Promise<News & { stdout: string; container_id: string }> => {
    const { stdout, container_id, ...answer } = await cluster.alice.run(session, command);
    return { stdout, container_id, ...news(answer) };
  };
  const startJob = (session: string, command: string) =>
    cluster.alice.request<News & { job_id: string }>('POST', `/sessions/${session}/jobs`, { command });

  it('reports the restart in one answer when docker restart has emptied the workspace', async () => {
    const { container_id } = await run('restarted', 'echo x > file');
    await restart(container_id);
    expect(await run('restarted')).toEqual({ stdout: '', container_id, ...RESTARTED });
    for (let n = 0; n < 4; n++) expect(await run('restarted')).toEqual({ stdout: '', container_id, ...NOTHING });
    // The next restart is reported too.
    await restart(container_id);
    const answers = await Promise.all(Array.from({ length: 6 }, () => run('restarted')));
    expect(answers.filter(({ session_restarted }) => session_restarted)).toHaveLength(1);
  });

  it('reports no restart when the sandbox was only paused', async () => {
    const { container_id } = await run('paused', 'echo x > file');
    await docker.getContainer(container_id).pause();
    await docker.getContainer(container_id).unpause();
    for (let n = 0; n < 2; n++) expect(await run('paused', 'cat file')).toEqual({ stdout: 'x\n', container_id, ...NOTHING });
  });

  it('reports the restart in the error, and in the next command’s answer, when a file is gone', async () => {
    const { container_id } = await run('gone', 'echo x > file');
    await restart(container_id);
    const read = await cluster.alice.request('GET', cluster.alice.workspace('gone', 'file', true));
    expect([read.status, read.body.code]).toEqual([404, 'NOT_FOUND']);
    expect(read.body.detail).toMatch(/made anew, so its earlier files are gone\.$/);
    expect(news(await run('gone'))).toEqual(RESTARTED);
  });

  it('reports the restart once when a call makes the session again', async () => {
    const { container_id } = await run('made again');
    await restart(container_id);
    const create = () => cluster.alice.request<News>('POST', '/sessions', { session_id: 'made again' });
    expect(news((await create()).body)).toEqual(RESTARTED);
    expect(news((await create()).body)).toEqual(NOTHING);
    expect(news(await run('made again'))).toEqual(NOTHING);
  });

  it('reports the restart when a job starts, and that earlier jobs are lost', async () => {
    const { container_id } = await run('jobs');
    const before = await startJob('jobs', 'sleep 600');
    await restart(container_id);
    const job = async (): Promise<unknown> => (await cluster.alice.request('GET', `/sessions/jobs/jobs/${before.body.job_id}`)).body.state;
    // A job that has only just been started may still be about to begin. But not this one: its
    // sandbox has been restarted since.
    expect(await job()).toBe('lost');
    expect(news((await startJob('jobs', 'true')).body)).toEqual(RESTARTED);
    expect(await job()).toBe('lost');
  });

  it('says in one answer that the session is new when a call made it', async () => {
    const first = await Promise.all(Array.from({ length: 10 }, () => run('ten', 'true')));
    expect(first.filter(({ session_created }) => session_created)).toHaveLength(1);
    expect(first.filter(({ session_restarted }) => session_restarted)).toHaveLength(0);
    expect(news(await run('ten'))).toEqual(NOTHING);
    expect(news((await startJob('by a job', 'true')).body)).toEqual(CREATED);
    expect(news(await run('by a job'))).toEqual(NOTHING);
    const create = () => cluster.alice.request<News>('POST', '/sessions', { session_id: 'by its name' });
    expect(news((await create()).body)).toEqual(CREATED);
    expect(news((await create()).body)).toEqual(NOTHING);
    await cluster.alice.deleteSession('ten');
    expect(news(await run('ten'))).toEqual(CREATED);
  });

  it('reports no restart when only the store has forgotten the session', async () => {
    if (cluster.redis === undefined) return; // the last test of this file is about the memory store
    const { container_id } = await run('flushed', 'echo x > file');
    await cluster.redis.flush();
    for (let n = 0; n < 4; n++) expect(await run('flushed')).toEqual({ stdout: 'file\n', container_id, ...NOTHING });
  });

  it('says in the error that the session is new when a call made it and found no file', async () => {
    const { alice } = cluster;
    const read = await alice.request('GET', alice.workspace('empty 1', 'src/main.py', true));
    expect(read.body).toMatchObject({
      code: 'NOT_FOUND',
      detail: expect.stringMatching(/This call made the session, so its workspace is empty\.$/),
    });
    const ran = await alice.execute('empty 2', 'ls', { working_dir: 'project' });
    expect(ran.body).toMatchObject({
      code: 'INVALID_WORKING_DIR',
      detail: expect.stringMatching(/made the session, so its workspace is empty\.$/),
    });
    const job = await alice.request('GET', `/sessions/${encodeURIComponent('empty 3')}/jobs/${'a'.repeat(32)}`);
    expect(job.body).toMatchObject({ code: 'JOB_NOT_FOUND', detail: expect.stringMatching(/made the session, so it has no jobs yet\.$/) });
    for (const session of ['empty 1', 'empty 2', 'empty 3']) expect(news(await run(session))).toEqual(NOTHING);
  });
});

describe('The service, for a session that has expired,', () => {
  let commands: CommandService;
  beforeAll(async () => {
    commands = await CommandService.start({ CLEANUP_INTERVAL_SECONDS: '1' });
  });
  afterAll(() => commands?.stop());

  const texts = async (name: string, args: object): Promise<string> => {
    const { content } = await commands.tool(name, { ...args });
    return (content as { text: string }[]).map(({ text }) => text).join('\n');
  };

  const isGone = (containerId: string): Promise<boolean> =>
    docker
      .getContainer(containerId)
      .inspect()
      .then(
        () => false,
        () => true,
      );

  it.each(['REST', 'MCP', 'SSE'] as const)('says in the next answer that the session is new when the call is by %s', async (way) => {
    const session_id = `expires ${way}`;
    const next: Record<typeof way, () => Promise<News>> = {
      REST: () => commands.rest.run(session_id, 'ls'),
      MCP: async () => (await commands.tool('execute', { session_id, command: 'ls' })).structuredContent as unknown as News,
      SSE: async () => (await (await Events.execute(commands.rest, session_id, 'ls')).all())[0]!.data as unknown as News,
    };
    const { body } = await commands.rest.request<{ container_id: string }>('POST', '/sessions', { session_id, ttl_seconds: 1 });
    expect(news(await next[way]())).toEqual(NOTHING);
    await eventually('it has expired', () => isGone(body.container_id));
    expect(news(await next[way]())).toEqual(CREATED);
    expect(news(await next[way]())).toEqual(NOTHING);
  });

  it.each<[string, object]>([
    ['workspace_write', { path: 'a', content: 'x' }],
    ['workspace_list', {}],
    ['workspace_search', { glob: '*' }],
  ])('says over MCP that the session is new when the call is %s', async (name, args) => {
    const session_id = `by ${name}`;
    const call = async () => (await commands.tool(name, { session_id, ...args })).structuredContent;
    expect(await call()).toMatchObject({ session_created: true });
    expect(await call()).not.toHaveProperty('session_created');
    expect(news(await commands.rest.run(session_id, 'true'))).toEqual(NOTHING);
  });

  it('says over MCP in words what happened to the session when it was made again', async () => {
    const execute = (more: object = {}) => texts('execute', { session_id: 'words', command: 'ls', ...more });
    expect(await execute()).toMatch(/\nnote: this call made the session; .* gone, and files too unless the workspace is persistent$/);
    expect(await execute()).toMatch(/^exit code 0 after [\d.]+ s$/);
    await restart((await commands.rest.run('words', 'true')).container_id);
    expect(await execute()).toMatch(/\nnote: the sandbox had to be made anew; /);
    expect(await execute()).toMatch(/^exit code 0 after [\d.]+ s$/);
    expect(await texts('execute', { session_id: 'in the background', command: 'true', background: true })).toMatch(
      /^started as job .*\nnote: this call made the session/,
    );
    expect(await texts('create_session', { session_id: 'made' })).toContain('"session_created":true');
    expect(await texts('create_session', { session_id: 'made' })).toContain('"session_created":false');
    expect(await texts('workspace_read', { session_id: 'read', path: 'notes.md' })).toMatch(
      /^NOT_FOUND: .* This call made the session, so its workspace is empty\.$/,
    );
  });
});

describe('A process with the memory store', () => {
  it('reports only the sandboxes that were restarted meanwhile when it comes after another process', async () => {
    const cluster = await Cluster.start(ONE_PROCESS);
    let later: Service | undefined;
    try {
      const { container_id } = await cluster.alice.run('restarted', 'echo x > file');
      await cluster.alice.run('left alone', 'echo x > file');
      await cluster.services[0]!.stop();
      await restart(container_id);
      later = await Service.start({ deployment: cluster.deployment });
      const client: Client = later.client(ALICE);
      const seen = async (session: string): Promise<[string, News]> => {
        const { stdout, ...answer } = await client.run(session, 'ls');
        return [stdout, news(answer)];
      };
      expect(await seen('restarted')).toEqual(['', RESTARTED]);
      expect(await seen('restarted')).toEqual(['', NOTHING]);
      expect(await seen('left alone')).toEqual(['file\n', NOTHING]);
    } finally {
      await later?.stop('SIGKILL');
      await cluster.stop();
    }
  });
});
