import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, REPLICATED } from '../support/service/cluster';
import { Events, textOf } from '../support/service/events';
import { eventually } from '../support/service/processes';
import { type Answer, Service } from '../support/service/service';

jest.setTimeout(180_000);

interface Job {
  job_id: string;
  command: string;
  state: string;
  exit_code: number | null;
  signal: string | null;
  started_at: string;
  ended_at: string | null;
  stdout_bytes: number | null;
  stderr_bytes: number | null;
  session_restarted?: boolean;
  code?: string;
}

interface Output {
  data: string;
  next_offset: number;
  eof: boolean;
  gap: number;
  code?: string;
}

/** What an answer that refuses this one field has in it. */
const refusalOf = (field: string): object => ({ status: 422, body: { code: 'VALIDATION_FAILED', errors: [{ field }] } });
const UNTIL = (file: string): string => `until [ -e ${file} ]; do sleep 0.02; done`;

describe('The service, for jobs', () => {
  let cluster: Cluster;
  let session: string;
  let count = 0;

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED, {
      JOB_MAX_SECONDS: '60',
      MAX_JOBS_PER_SESSION: '3',
      JOB_MAX_OUTPUT_BYTES: '65536',
      SESSION_TTL_SECONDS: '4',
    });
  });
  afterAll(() => cluster?.stop());
  beforeEach(() => {
    session = `jobs/${count++}`;
  });

  const jobs = (path = ''): string => `/sessions/${encodeURIComponent(session)}/jobs${path}`;
  /** Each call goes to the process whose turn it is. */
  const call = <T = Job>(method: string, path: string, body?: object): Promise<Answer<T>> =>
    cluster.alice.request<T>(method, jobs(path), body);

  async function start(command: string, more: object = {}): Promise<Job> {
    const { status, body } = await call('POST', '', { command, ...more });
    expect([status, body.code]).toEqual([201, undefined]);
    return body;
  }

  const ended = (id: string): Promise<Job> =>
    eventually('the job ends', async () => {
      const { body } = await call('GET', `/${id}`);
      return body.state !== 'running' && body;
    });
  const output = async (id: string, query = ''): Promise<Output> => (await call<Output>('GET', `/${id}/output?${query}`)).body;
  const input = (id: string, text: string, query = ''): Promise<Answer> =>
    cluster.alice.request('POST', jobs(`/${id}/stdin${query}`), undefined, {
      body: text,
      headers: { 'Content-Type': 'application/octet-stream' },
    });

  it('shows a job to every process when its call has ended', async () => {
    const job = await start(`echo out; echo err >&2; ${UNTIL('go')}; echo more; exit 3`);
    expect(job).toEqual({
      job_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      command: expect.stringContaining('echo out'),
      state: 'running',
      exit_code: null,
      signal: null,
      started_at: expect.stringMatching(/Z$/),
      ended_at: null,
      oom_killed: false,
      stdout_bytes: 0,
      stderr_bytes: 0,
      session_created: true,
      session_restarted: false,
    });
    for (let i = 0; i < 2; i++) expect((await call('GET', `/${job.job_id}`)).body.state).toBe('running');
    await cluster.alice.run(session, 'touch go');
    expect(await ended(job.job_id)).toMatchObject({ state: 'exited', exit_code: 3, stdout_bytes: 9, stderr_bytes: 4 });
    expect(await output(job.job_id)).toEqual({ data: 'out\nmore\n', next_offset: 9, eof: true, gap: 0 });
    expect(await output(job.job_id, 'stream=stderr&encoding=base64')).toMatchObject({ data: Buffer.from('err\n').toString('base64') });
    expect((await call<{ jobs: Job[] }>('GET', '')).body.jobs.map((each) => each.job_id)).toEqual([job.job_id]);
  });

  it('lets a later command use a job when it is a web server', async () => {
    await start('python3 -m http.server 8000 --bind 127.0.0.1');
    const fetchIt = 'python3 -c "import urllib.request as u; print(u.urlopen(\'http://127.0.0.1:8000/page.txt\').read().decode())"';
    await cluster.alice.run(session, 'echo served > page.txt');
    await eventually('the server answers', async () => (await cluster.alice.run(session, fetchIt)).stdout.includes('served'));
  });

  it('gives output from an offset on, with whole characters, when a reader waits', async () => {
    const job = await start(`printf 'a\\303'; ${UNTIL('go')}; printf '\\251z'; ${UNTIL('end')}`);
    await eventually('it has written', async () => (await call('GET', `/${job.job_id}`)).body.stdout_bytes === 2);
    expect(await output(job.job_id)).toEqual({ data: 'a', next_offset: 1, eof: false, gap: 0 });
    const news = output(job.job_id, 'offset=2&wait_seconds=30&encoding=base64');
    await cluster.alice.run(session, 'touch go');
    expect(await news).toMatchObject({ data: Buffer.from([0xa9, 0x7a]).toString('base64'), next_offset: 4 });
    expect(await output(job.job_id, 'offset=1')).toMatchObject({ data: 'éz', next_offset: 4 });
    await cluster.alice.run(session, 'touch end');
    expect(await output(job.job_id, 'offset=4&wait_seconds=30')).toEqual({ data: '', next_offset: 4, eof: true, gap: 0 });
  });

  it('drops the oldest output, and says how much, when a job writes too much', async () => {
    const job = await start('seq 1 50000');
    await ended(job.job_id);
    const whole = Array.from({ length: 50_000 }, (_, i) => `${i + 1}\n`).join('');
    const read = await output(job.job_id, 'limit=1048576');
    expect(read).toEqual({ data: whole.slice(-65_536), next_offset: whole.length, eof: true, gap: whole.length - 65_536 });
  });

  it('continues after the last event when a follower comes back', async () => {
    const job = await start(`echo one; ${UNTIL('go')}; echo two >&2; exit 4`);
    const path = jobs(`/${job.job_id}/output`);
    const first = await Events.open(cluster.alice, 'GET', path);
    const one = await first.next();
    expect(one).toEqual({ event: 'stdout', id: '4-0', data: { data: 'one\n' } });
    first.close();
    const second = await Events.open(cluster.alice, 'GET', path, undefined, { 'Last-Event-ID': one!.id! });
    await cluster.alice.run(session, 'touch go');
    expect(await second.all()).toEqual([
      { event: 'stderr', id: '4-4', data: { data: 'two\n' } },
      { event: 'end', data: expect.objectContaining({ job_id: job.job_id, state: 'exited', exit_code: 4 }) },
    ]);
    expect(textOf(await (await Events.open(cluster.alice, 'GET', `${path}?stream=stderr`)).all(), 'stderr')).toBe('two\n');
    expect((await Events.open(cluster.alice, 'GET', path, undefined, { 'Last-Event-ID': 'x' })).status).toBe(400);
  });

  it('sends a job input and signals when it runs', async () => {
    const cat = await start('cat; echo end', { stdin: 'one ', open_stdin: true });
    expect((await input(cat.job_id, 'two ')).status).toBe(204);
    expect((await input(cat.job_id, 'three', '?eof=true')).status).toBe(204);
    await ended(cat.job_id);
    expect((await output(cat.job_id)).data).toBe('one two threeend\n');
    expect((await input(cat.job_id, 'x')).body).toMatchObject({ code: 'JOB_ENDED' });
    const deaf = await start('sleep 50', { open_stdin: true });
    expect((await input(deaf.job_id, 'x'.repeat(1024 * 1024))).status).toBe(204);
    expect((await input(deaf.job_id, 'x'.repeat(512 * 1024))).body).toMatchObject({ code: 'JOB_STDIN_FULL' });
    expect((await input(deaf.job_id, 'x'.repeat(1024 * 1024 + 1))).status).toBe(413);
    expect((await call('POST', `/${deaf.job_id}/signal`, { signal: 'SIGTERM' })).status).toBe(204);
    expect(await ended(deaf.job_id)).toMatchObject({ state: 'killed', signal: 'SIGTERM', exit_code: 143 });
    expect((await call('POST', `/${deaf.job_id}/signal`, { signal: 'SIGTERM' })).body.code).toBe('JOB_ENDED');
    expect(await call('POST', `/${deaf.job_id}/signal`, { signal: 'SIGRTMIN' })).toMatchObject(refusalOf('signal'));
  });

  it('ends a job with all it started when its time is over or it is deleted', async () => {
    const slow = await start('setsid sleep 71.5 & sleep 71.5', { timeout: 1 });
    const doomed = await start('setsid sleep 72.5 & sleep 72.5');
    expect(await ended(slow.job_id)).toMatchObject({ state: 'timed_out', exit_code: 124 });
    expect((await call('DELETE', `/${doomed.job_id}`)).status).toBe(204);
    expect((await cluster.alice.run(session, 'ps -eo args | grep -c "^sleep 7[12]" || true')).stdout).toBe('0\n');
    for (const method of ['GET', 'DELETE']) expect((await call(method, `/${doomed.job_id}`)).body.code).toBe('JOB_NOT_FOUND');
    expect((await Events.open(cluster.alice, 'GET', jobs(`/${doomed.job_id}/output`))).status).toBe(404);
  });

  it('deletes the oldest ended job, and never a running one, when a new one needs room', async () => {
    const [first, second] = [await start('true'), await start('true')];
    await ended(first.job_id);
    await ended(second.job_id);
    await start('sleep 50');
    await start('sleep 50');
    expect((await call('GET', `/${first.job_id}`)).status).toBe(404);
    expect((await call('GET', `/${second.job_id}`)).status).toBe(200);
    await start('sleep 50');
    const refused = await call('POST', '', { command: 'sleep 50' });
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([429, 'TOO_MANY_JOBS', '5']);
  });

  it('refuses a job when a command would be refused, or its time is too long', async () => {
    expect((await call('POST', '', { command: 'no-such-program' })).body.code).toBe('COMMAND_NOT_ALLOWED');
    expect((await call('POST', '', { command: 'true', working_dir: 'missing' })).body.code).toBe('INVALID_WORKING_DIR');
    for (const timeout of [0, 61, '5', null])
      expect(await call('POST', '', { command: 'true', timeout })).toMatchObject(refusalOf('timeout'));
    expect((await call('POST', '', { command: 'true', timeout: 60 })).status).toBe(201);
    for (const query of ['offset=-1', 'offset=1.5', 'limit=0', 'limit=1048577', 'stream=all', 'wait_seconds=31', 'more=1']) {
      expect(await call('GET', `/${'0'.repeat(32)}/output?${query}`)).toMatchObject(refusalOf(query.split('=')[0]!));
    }
    expect((await call('GET', '/not-an-id')).body.code).toBe('JOB_NOT_FOUND');
  });

  it('waits for a job’s end when it is asked to', async () => {
    const job = await start(`${UNTIL('go')}; exit 6`);
    const waiting = call('GET', `/${job.job_id}?wait_seconds=30`);
    expect((await call('GET', `/${job.job_id}?wait_seconds=1`)).body).toMatchObject({ state: 'running', exit_code: null });
    await cluster.alice.run(session, 'touch go');
    expect((await waiting).body).toMatchObject({ state: 'exited', exit_code: 6 });
    expect((await call('GET', `/${job.job_id}?wait_seconds=30`)).body).toEqual((await waiting).body);
    for (const query of ['wait_seconds=31', 'wait_seconds=x', 'wait=1'])
      expect(await call('GET', `/${job.job_id}?${query}`)).toMatchObject(refusalOf(query.split('=')[0]!));
    expect((await call('GET', `/${'0'.repeat(32)}?wait_seconds=30`)).body.code).toBe('JOB_NOT_FOUND');
  });

  it('keeps a session alive while a job runs, and no longer', async () => {
    const job = await start(UNTIL('never-there'), { timeout: 9 });
    const path = `/sessions/${encodeURIComponent(session)}`;
    await sleep(6_000);
    expect((await cluster.alice.request('GET', path)).status).toBe(200);
    await eventually('its time is over', async () => (await call('GET', `/${job.job_id}`)).body.state === 'timed_out');
    await eventually('the session expires', async () => (await cluster.alice.request('GET', path)).status === 404, 15);
  });

  it('releases a session when its job has ended, although nobody asks', async () => {
    await start('sleep 5', { timeout: 60 });
    const path = `/sessions/${encodeURIComponent(session)}`;
    await sleep(5_000);
    expect((await cluster.alice.request('GET', path)).status).toBe(200);
    // The job could have run for longer than this wait, and would have kept its session as long.
    await eventually('the session expires', async () => (await cluster.alice.request('GET', path)).status === 404, 40);
  });

  it('says that a job is lost, and never runs it again, when its sandbox ended', async () => {
    const job = await start('echo ran >> count; sleep 50');
    const { container_id } = await cluster.alice.run(session, 'true');
    const follower = await Events.open(cluster.alice, 'GET', jobs(`/${job.job_id}/output`));
    await cluster.deployment.killContainer(container_id);
    expect((await follower.all()).at(-1)!.event).toMatch(/end|error/);
    // Another API process may still have its channel, and lose it during a call.
    const told = await eventually('each process has seen it', async () => {
      const answers = [await call('GET', `/${job.job_id}`), await call('GET', `/${job.job_id}`)];
      return answers.every(({ status }) => status === 200) && answers[0]!;
    });
    expect(told.body).toMatchObject({ state: 'lost', exit_code: null, stdout_bytes: null });
    expect((await call('GET', `/${job.job_id}/output`)).body.code).toBe('JOB_LOST');
    expect((await cluster.alice.run(session, 'ls')).stdout).toBe('');
    expect((await call<{ jobs: Job[] }>('GET', '')).body.jobs).toMatchObject([{ job_id: job.job_id, state: 'lost' }]);
    expect((await call('DELETE', `/${job.job_id}`)).status).toBe(204);
    expect((await call<{ jobs: Job[] }>('GET', '')).body.jobs).toEqual([]);
  });
});

describe('The service, for jobs at a killed API,', () => {
  it('gives all output of a job when the API was killed and Redis flushed', async () => {
    const cluster = await Cluster.start(REPLICATED);
    try {
      const [first] = cluster.services;
      const command = 'i=0; until [ -e stop ]; do i=$((i+1)); echo $i; sleep 0.01; done; echo end';
      const { body: job } = await cluster.alice.request<Job>('POST', '/sessions/s/jobs', { command });
      for (const service of cluster.services) await service.stop('SIGKILL');
      await cluster.redis!.flush();
      const again = await Service.start({ deployment: cluster.deployment, redis: cluster.redis });
      try {
        const alice = again.client(cluster.alice.headers['X-API-Key']!);
        expect(first).toBeDefined();
        expect((await alice.request<{ jobs: Job[] }>('GET', '/sessions/s/jobs')).body.jobs).toMatchObject([
          { job_id: job.job_id, state: 'running' },
        ]);
        await alice.run('s', 'touch stop');
        const events = await (await Events.open(alice, 'GET', `/sessions/s/jobs/${job.job_id}/output`)).all();
        const lines = textOf(events, 'stdout').trimEnd().split('\n');
        expect(lines.at(-1)).toBe('end');
        expect(lines.slice(0, -1)).toEqual(lines.slice(0, -1).map((_, i) => String(i + 1)));
      } finally {
        await again.stop('SIGKILL');
      }
    } finally {
      await cluster.stop();
    }
  });
});
