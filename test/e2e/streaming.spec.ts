import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, REPLICATED } from '../support/service/cluster';
import { Events, textOf } from '../support/service/events';
import { eventually } from '../support/service/processes';

jest.setTimeout(180_000);

describe('The service, for streams', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED, {
      MAX_EXEC_TIMEOUT_SECONDS: '60',
      MAX_CONCURRENT_COMMANDS_PER_SESSION: '100',
      MAX_CONCURRENT_COMMANDS_PER_USER: '200',
      CONTAINER_PIDS_LIMIT: '512',
      CONTAINER_CPU_QUOTA: '200000',
    });
  });
  afterAll(() => cluster?.stop());

  it('sends partial lines when the command writes them, and last how it ended', async () => {
    const events = await Events.execute(cluster.alice, 'live', 'printf one; until [ -e go ]; do sleep 0.02; done; printf two >&2; exit 3');
    expect(Object.fromEntries(events.response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
    });
    expect(await events.next()).toEqual({
      event: 'start',
      data: { container_id: expect.stringMatching(/^[0-9a-f]{12}$/), session_created: true, session_restarted: false },
    });
    expect(await events.next()).toEqual({ event: 'stdout', data: { data: 'one' } });
    await cluster.alice.run('live', 'touch go');
    expect(await events.next()).toEqual({ event: 'stderr', data: { data: 'two' } });
    expect(await events.next()).toEqual({
      event: 'exit',
      data: { exit_code: 3, execution_time: expect.any(Number), timed_out: false, truncated: false, oom_killed: false },
    });
    expect(await events.next()).toBeNull();
  });

  it('sends a character whole when it is written in two halves', async () => {
    const split = "printf '\\303'; sleep 0.3; printf '\\251'; printf '\\377'";
    expect(textOf(await (await Events.execute(cluster.alice, 'live', split)).all(), 'stdout')).toBe('é\ufffd');
    const pieces = await (await Events.execute(cluster.alice, 'live', split, { encoding: 'base64' })).all();
    const bytes = pieces.filter(({ event }) => event === 'stdout').map(({ data }) => Buffer.from(data.data as string, 'base64'));
    expect(Buffer.concat(bytes)).toEqual(Buffer.from([0xc3, 0xa9, 0xff]));
  });

  it('sends all output when it is long', async () => {
    const events = await (await Events.execute(cluster.alice, 'live', 'seq 1 700000')).all();
    expect(textOf(events, 'stdout')).toBe(Array.from({ length: 700_000 }, (_, i) => `${i + 1}\n`).join(''));
    expect(events.at(-1)).toMatchObject({ event: 'exit', data: { truncated: false } });
  });

  it('sends stdin to the command, and ends when its time is over', async () => {
    expect(textOf(await (await Events.execute(cluster.alice, 'live', 'cat', { stdin: 'text' })).all(), 'stdout')).toBe('text');
    const events = await (await Events.execute(cluster.alice, 'live', 'printf x; sleep 30', { timeout: 1 })).all();
    expect(textOf(events, 'stdout')).toBe('x');
    expect(events.at(-1)).toMatchObject({ event: 'exit', data: { exit_code: 124, timed_out: true } });
  });

  it('answers a status when the command cannot begin, and an error event when it breaks off', async () => {
    const refused = await Events.execute(cluster.alice, 'live', 'no-such-program-at-all');
    expect([refused.status, refused.response.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    refused.close();
    const [begin, ...rest] = await (await Events.execute(cluster.alice, 'live', 'true', { working_dir: 'missing' })).all();
    expect(begin!.event).toBe('start');
    expect(rest).toEqual([{ event: 'error', data: expect.objectContaining({ code: 'INVALID_WORKING_DIR', status: 400 }) }]);
    const lost = await Events.execute(cluster.alice, 'doomed', 'printf x; sleep 30');
    while ((await lost.next())!.event !== 'stdout');
    await cluster.alice.deleteSession('doomed');
    expect(await lost.all()).toEqual([{ event: 'error', data: expect.objectContaining({ code: 'SESSION_DELETED' }) }]);
  });

  it('answers once when the client does not ask for events', async () => {
    for (const Accept of ['*/*', 'application/json', 'text/html,*/*;q=0.8']) {
      expect((await cluster.alice.execute('live', 'echo x', {}, { headers: { Accept } })).body.stdout).toBe('x\n');
    }
  });

  it('slows only one command, and holds no more, when its reader stalls', async () => {
    const memory = (): number =>
      cluster.services.reduce(
        (sum, { child }) => sum + Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024,
        0,
      );
    await Promise.all(['a', 'b', 'c', 'd'].map((session) => cluster.alice.run(session, 'true')));
    const before = memory();
    const count = 'i=0; while :; do i=$((i+1)); echo $i > $NAME; printf %01000d $i; done';
    const stalled = await Promise.all(
      Array.from({ length: 20 }, (_, i) => Events.execute(cluster.alice, 'a', count, { env: { NAME: `w${i}` }, timeout: 60 })),
    );
    for (const each of stalled) expect((await each.next())!.event).toBe('start');
    const written = async (): Promise<number[]> => (await cluster.alice.run('a', 'cat w*')).stdout.trim().split('\n').map(Number);
    await eventually('all twenty wait for their readers', async () => {
      const first = await written();
      await sleep(500);
      return first.length === 20 && String(first) === String(await written());
    });
    // About a megabyte of each waits in pipes, windows and sockets. It does not grow with time.
    for (const lines of await written()) expect(lines).toBeLessThan(20_000);
    const others = await Promise.all(
      Array.from({ length: 80 }, async (_, i) =>
        textOf(await (await Events.execute(cluster.alice, 'abcd'[i % 4]!, `seq 1 20000; echo end${i}`)).all(), 'stdout').endsWith(
          `end${i}\n`,
        ),
      ),
    );
    expect(others).toEqual(Array.from({ length: 80 }, () => true));
    expect(memory() - before).toBeLessThan(150);
    for (const each of stalled) each.close();
    await eventually(
      'their commands end',
      async () => (await cluster.alice.run('a', 'ps -eo args | grep -c [%]01000d || true')).stdout === '0\n',
    );
  });

  it('leaves nothing behind when a hundred clients go away', async () => {
    await cluster.alice.run('abort', 'true');
    const descriptors = (): number => cluster.services.reduce((sum, { child }) => sum + readdirSync(`/proc/${child.pid}/fd`).length, 0);
    const before = descriptors();
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 10 }, async (_, i) => {
          const events = await Events.execute(cluster.alice, 'abort', 'seq 1 1000000; exec sleep 41.7', { timeout: 60 });
          for (let read = 0; read < (i * 7) % 10; read++) await events.next();
          await sleep(i * 11);
          events.close();
        }),
      );
    }
    const processes = 'ps -eo args | grep -cE "^(seq|sleep 41)" || true';
    await eventually('no command is left', async () => (await cluster.alice.run('abort', processes)).stdout === '0\n');
    await eventually('no descriptor is left', async () => descriptors() <= before + 2);
  });
});
