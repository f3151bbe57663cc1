import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, REPLICATED } from '../../support/service/cluster';
import { eventually } from '../../support/service/processes';
import { ALICE, type Answer, BOB } from '../../support/service/service';

jest.setTimeout(240_000);

interface Told {
  status: number;
  replayed: string | null;
  retryAfter: string | null;
  body: Record<string, unknown>;
}

describe('A request with an Idempotency-Key, on two processes that share a store', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED);
  });
  afterAll(() => cluster?.stop());

  /** Sends a request to the process of that number. */
  async function send(
    process: 0 | 1,
    path: string,
    body: object,
    key: string | undefined,
    { user = ALICE, ...init }: RequestInit & { user?: string } = {},
  ): Promise<Told> {
    const headers: Record<string, string> = key === undefined ? {} : { 'Idempotency-Key': `"${key}"` };
    const answer: Answer = await cluster.services[process]!.client(user).request('POST', path, body, { ...init, headers });
    const [replayed, retryAfter] = ['idempotency-replayed', 'retry-after'].map((name) => answer.headers.get(name));
    return { status: answer.status, replayed: replayed!, retryAfter: retryAfter!, body: answer.body };
  }
  const execute = (process: 0 | 1, session_id: string, command: string, key?: string, init?: RequestInit): Promise<Told> =>
    send(process, '/execute', { session_id, command }, key, init);
  /** The lines of a file to which commands append. */
  const lines = async (session: string, file = 'log'): Promise<string> => (await cluster.alice.run(session, `cat ${file}`)).stdout;

  it('runs a command once, and both processes answer the same', async () => {
    const key = randomUUID();
    const command = 'echo ran >> log; echo é; echo e >&2; date +%s%N; exit 3';
    const first = await execute(0, 'once', command, key);
    expect(first).toMatchObject({ status: 200, replayed: null, body: { stderr: 'e\n', exit_code: 3, session_created: true } });
    for (const process of [1, 0, 1] as const) expect(await execute(process, 'once', command, key)).toEqual({ ...first, replayed: 'true' });
    expect(await lines('once')).toBe('ran\n');
    expect((await execute(0, 'once', command, randomUUID())).replayed).toBeNull();
    expect(await lines('once')).toBe('ran\nran\n');
  });

  it('starts one job, and makes a session once', async () => {
    const key = randomUUID();
    const made = await send(0, '/sessions', { session_id: 'made' }, key);
    expect(made).toMatchObject({ status: 200, body: { session_created: true } });
    expect(await send(1, '/sessions', { session_id: 'made' }, key)).toEqual({ ...made, replayed: 'true' });
    const job = await send(1, '/sessions/made/jobs', { command: 'echo ran >> log; sleep 600' }, key);
    expect(job).toMatchObject({ status: 201, replayed: null, body: { state: 'running' } });
    expect(await send(0, '/sessions/made/jobs', { command: 'echo ran >> log; sleep 600' }, key)).toEqual({ ...job, replayed: 'true' });
    expect((await cluster.alice.request<{ jobs: unknown[] }>('GET', '/sessions/made/jobs')).body.jobs).toHaveLength(1);
  });

  it('runs a command once when twenty come at once', async () => {
    const key = randomUUID();
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => execute((n % 2) as 0 | 1, 'at-once', 'echo ran >> log', key)));
    expect(all.filter(({ status, replayed }) => status === 200 && replayed === null)).toHaveLength(1);
    for (const { status, body } of all) if (status !== 200) expect([status, body.code]).toEqual([409, 'IDEMPOTENCY_RUNNING']);
    expect(await lines('at-once')).toBe('ran\n');
  });

  it('says that the command runs until it has ended, and goes on when its client goes away', async () => {
    const key = randomUUID();
    const command = 'echo began >> log; while [ ! -e go ]; do sleep 0.1; done; echo ended >> log; echo done';
    const gone = new AbortController();
    const first = execute(0, 'gone', command, key, { signal: gone.signal });
    first.catch(() => undefined);
    await eventually('it has begun', async () => (await lines('gone')) === 'began\n');
    gone.abort();
    await expect(first).rejects.toThrow();
    for (const process of [0, 1] as const) {
      const answer = await execute(process, 'gone', command, key);
      expect(answer).toMatchObject({ status: 409, retryAfter: '1', body: { code: 'IDEMPOTENCY_RUNNING' } });
    }
    await cluster.alice.run('gone', 'touch go');
    const answer = await eventually('it has ended', async () => {
      const told = await execute(1, 'gone', command, key);
      return told.status !== 409 && told;
    });
    expect(answer).toMatchObject({ status: 200, replayed: 'true', body: { stdout: 'done\n', exit_code: 0 } });
    expect(await lines('gone')).toBe('began\nended\n');
  });

  it('refuses another body, and keeps users apart', async () => {
    const key = randomUUID();
    await execute(0, 'bodies', 'echo one >> log', key);
    expect(await execute(1, 'bodies', 'echo two >> log', key)).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    const bob = await send(1, '/execute', { session_id: 'bodies', command: 'echo bob' }, key, { user: BOB });
    expect(bob).toMatchObject({ status: 200, replayed: null, body: { stdout: 'bob\n' } });
    expect(await lines('bodies')).toBe('one\n');
  });

  it('keeps no error after which nothing has run', async () => {
    const key = randomUUID();
    const command = 'mytool';
    expect(await execute(0, 'refused', command, key)).toMatchObject({ status: 400, body: { code: 'COMMAND_NOT_ALLOWED' } });
    await cluster.alice.run(
      'refused',
      'mkdir -p .local/bin && printf "#!/bin/sh\\necho mine\\n" > .local/bin/mytool && chmod +x .local/bin/mytool',
    );
    expect(await execute(1, 'refused', command, key)).toMatchObject({ status: 200, replayed: null, body: { stdout: 'mine\n' } });
  });

  it('does not keep an answer that is long, and does not run the command again', async () => {
    const key = randomUUID();
    const command = 'echo ran >> log; head -c 300000 /dev/zero | tr "\\0" x';
    expect((await execute(0, 'long', command, key)).status).toBe(200);
    expect(await execute(1, 'long', command, key)).toMatchObject({
      status: 409,
      body: { code: 'IDEMPOTENCY_ANSWER_NOT_KEPT', answered_status: 200 },
    });
    expect(await lines('long')).toBe('ran\n');
  });

  it('says that the outcome is unknown, and never runs the command again, when its process was killed', async () => {
    const key = randomUUID();
    const command = 'echo began >> log; sleep 100';
    const first = execute(0, 'killed', command, key);
    first.catch(() => undefined);
    await eventually('it has begun', async () => (await cluster.services[1]!.client(ALICE).run('killed', 'cat log')).stdout === 'began\n');
    await cluster.services[0]!.stop('SIGKILL');
    await expect(first).rejects.toThrow();
    const answer = await eventually(
      'its claim has run out',
      async () => {
        const told = await execute(1, 'killed', command, key);
        expect(told.status).toBe(409);
        return told.body.code !== 'IDEMPOTENCY_RUNNING' && told;
      },
      90,
    );
    expect(answer).toMatchObject({ retryAfter: null, replayed: null, body: { code: 'IDEMPOTENCY_UNKNOWN' } });
    await sleep(1_000);
    expect((await execute(1, 'killed', command, key)).body.code).toBe('IDEMPOTENCY_UNKNOWN');
    expect((await cluster.services[1]!.client(ALICE).run('killed', 'cat log')).stdout).toBe('began\n');
    expect(await execute(1, 'killed', 'echo new key', randomUUID())).toMatchObject({ status: 200, body: { stdout: 'new key\n' } });
  });
});
