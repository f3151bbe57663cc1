import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, ONE_PROCESS, REPLICATED } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import { docker } from '../support/service/deployment';
import { ALICE, type Answer, type Executed, Service, startCleanup } from '../support/service/service';

jest.setTimeout(240_000);

type ExecuteAnswer = Answer<Executed & { code?: string }>;

/** A command's answer is right, or a typed error that says why there is none. */
function rightOrTyped(answer: ExecuteAnswer, stdout: string): void {
  if (answer.status === 200) expect(answer.body.stdout).toBe(stdout);
  else expect(answer.body.code).toMatch(/^(SANDBOX_LOST|SANDBOX_UNRESPONSIVE|RUNTIME_UNAVAILABLE|STORE_UNAVAILABLE|SESSION_DELETED)$/);
}

describe('The service, at faults of a sandbox,', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(ONE_PROCESS);
  });
  afterAll(() => cluster?.stop());

  const execute = (session: string, command: string, more: object = {}): Promise<ExecuteAnswer> =>
    cluster.alice.execute(session, command, more);

  it.each(['kill', 'remove', 'stop', 'restart'])('recovers when Docker does %s to a sandbox, idle or during a command', async (how) => {
    const session = `behind ${how}`;
    const act = async (id: string): Promise<void> => {
      const container = docker.getContainer(id);
      if (how === 'kill') await container.kill();
      else if (how === 'remove') await container.remove({ force: true });
      else if (how === 'stop') await container.stop({ t: 0 });
      else await container.restart({ t: 0 });
    };
    await act((await cluster.alice.run(session, 'true')).container_id);
    const { container_id } = await cluster.alice.run(session, 'echo on');
    const call = execute(session, 'touch on; sleep 20; echo whole');
    await eventually('it runs', async () => (await cluster.alice.run(session, 'test -e on')).exit_code === 0);
    await act(container_id);
    expect(await call).toMatchObject({ status: 502, body: { code: 'SANDBOX_LOST' } });
    expect((await cluster.alice.run(session, 'echo again')).stdout).toBe('again\n');
  });

  it('answers a typed error, and recovers, when a sandbox was paused', async () => {
    const { container_id } = await cluster.alice.run('paused', 'echo kept > file');
    await docker.getContainer(container_id).pause();
    rightOrTyped(await execute('paused', 'echo x', { timeout: 5 }), 'x\n');
    expect((await cluster.alice.run('paused', 'cat file')).stdout).toBe('kept\n');
  });

  it.each([
    ['killed', 'pkill -9 -f "^python3 -I -S -u -c"; sleep 5'],
    ['stopped', 'pkill -STOP -f "^python3 -I -S -u -c"; sleep 5'],
    ['killed as the parent', 'kill -9 $PPID; sleep 5'],
    ['stopped as the parent', 'kill -STOP $PPID; sleep 5'],
  ])('loses only one command when it has the agent %s', async (_how, command) => {
    const session = `agent ${_how}`;
    const { container_id } = await cluster.alice.run(session, 'echo kept > file');
    const answer = await execute(session, command, { timeout: 3 });
    rightOrTyped(answer, '');
    expect(await cluster.alice.run(session, 'cat file')).toMatchObject({ stdout: 'kept\n', container_id });
    await eventually(
      'nothing of it runs',
      async () => (await cluster.alice.run(session, 'pgrep -x sleep -a | grep -c "sleep 5$"')).stdout === '0\n',
    );
  });

  it.each([
    ['garbage', 'head -c 100000 /dev/urandom'],
    [
      'false frames',
      `python3 -c 'import sys, struct; [sys.stdout.buffer.write(struct.pack(">IBI", 4, t, i) + b"{}{}") for t in range(256) for i in range(40)]'`,
    ],
    ['endless output', 'cat /dev/zero'],
  ])('spoils at most one session’s answers when a command writes %s towards the channel', async (_what, source) => {
    const session = `channel ${_what}`;
    await cluster.alice.run(session, 'echo kept > file');
    // Writes to every descriptor of another process that it can open.
    const attack = `for fd in /proc/[0-9]*/fd/[01]; do case $(readlink $fd) in pipe:*) timeout 2 ${source.startsWith('cat') ? source : `sh -c '${source.replaceAll("'", `'"'"'`)}'`} > $fd 2>/dev/null;; esac; done; echo done`;
    const answer = await execute(session, attack, { timeout: 20 });
    if (answer.status !== 200) rightOrTyped(answer, '');
    expect((await cluster.alice.run(session, 'cat file')).stdout).toBe('kept\n');
    expect((await cluster.bob.run('elsewhere', 'echo fine')).stdout).toBe('fine\n');
  });
});

describe('The service, at faults of the API,', () => {
  it('ends the command and loses nothing when SIGKILL comes during one', async () => {
    const cluster = await Cluster.start(REPLICATED);
    try {
      const [first, second] = cluster.services.map((service) => service.client(ALICE)) as [typeof cluster.alice, typeof cluster.alice];
      const { container_id } = await first.run('s', 'echo kept > file; sleep 7777 &');
      const call = first.execute('s', 'touch on; sleep 299');
      call.catch(() => undefined);
      await eventually('it runs', async () => (await second.run('s', 'test -e on')).exit_code === 0);
      await cluster.services[0]!.stop('SIGKILL');
      await eventually('its command is dead', async () => (await second.run('s', 'pgrep -f "^sleep 299"')).exit_code === 1);
      expect(await second.run('s', 'cat file; pgrep -f "^sleep 7777" > /dev/null && echo lives')).toMatchObject({
        stdout: 'kept\nlives\n',
        container_id,
        session_restarted: false,
      });
    } finally {
      await cluster.stop();
    }
  });

  it('finds sessions by name when it restarts, with the memory store too', async () => {
    const cluster = await Cluster.start(ONE_PROCESS);
    let restarted: Service | undefined;
    try {
      const { container_id } = await cluster.alice.run('s', 'echo kept > file');
      await cluster.services[0]!.stop('SIGKILL');
      restarted = await Service.start({ deployment: cluster.deployment });
      expect(await restarted.client(ALICE).run('s', 'cat file')).toMatchObject({ stdout: 'kept\n', container_id });
    } finally {
      await restarted?.stop('SIGKILL');
      await cluster.stop();
    }
  });

  it('leaves the old file or the new one whole when it is killed during writes', async () => {
    const cluster = await Cluster.start(REPLICATED, { WORKSPACE_MAX_FILE_SIZE_BYTES: '0' });
    const size = 8 * 1024 * 1024;
    const victims: Service[] = [];
    try {
      const witness = cluster.services[0]!.client(ALICE);
      const redis = cluster.redis!;
      const url = witness.workspace('s', 'f', true);
      const put = (client: typeof witness, letter: string) =>
        client.request('PUT', url, undefined, {
          body: Buffer.alloc(size, letter),
          headers: { 'Content-Type': 'application/octet-stream' },
        });
      expect((await put(witness, 'a')).status).toBe(204);
      let acknowledged = 'a';
      const startVictim = () => Service.start({ deployment: cluster.deployment, redis, env: { WORKSPACE_MAX_FILE_SIZE_BYTES: '0' } });
      for (let kills = 0; kills < 10; kills += 1) {
        const victim = await startVictim();
        victims.push(victim);
        const killAfter = sleep(100 + Math.random() * 400).then(() => victim.stop('SIGKILL'));
        let last = acknowledged;
        try {
          for (;;) {
            last = String.fromCharCode(97 + ((last.charCodeAt(0) - 96) % 26));
            if ((await put(victim.client(ALICE), last)).status !== 204) break;
            acknowledged = last;
          }
        } catch {
          // The process was killed during the call.
        }
        await killAfter;
        const { stdout } = await witness.run('s', `python3 -c 'd = open("f", "rb").read(); print(len(d), *sorted(set(d)))'`);
        expect([`${size} ${acknowledged.charCodeAt(0)}\n`, `${size} ${last.charCodeAt(0)}\n`]).toContain(stdout);
        acknowledged = String.fromCharCode(Number(stdout.split(' ')[1]));
      }
      await eventually('no temporary file is left', async () => (await witness.run('s', 'ls -A')).stdout === 'f\n');
    } finally {
      await Promise.all(victims.map((victim) => victim.stop('SIGKILL')));
      await cluster.stop();
    }
  });

  it('lets a running command finish when SIGTERM comes, and then exits', async () => {
    const cluster = await Cluster.start(ONE_PROCESS);
    try {
      await cluster.alice.run('s', 'true');
      const call = cluster.alice.run('s', 'touch on; sleep 3; echo finished');
      await eventually('it runs', async () => (await cluster.alice.run('s', 'test -e on')).exit_code === 0);
      const exit = cluster.services[0]!.stop('SIGTERM');
      expect((await call).stdout).toBe('finished\n');
      expect(await exit).toBe(0);
    } finally {
      await cluster.stop();
    }
  });
});

describe('The service, at faults of Redis,', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED);
  });
  afterAll(() => cluster?.stop());

  it('loses no sandbox and no file when Redis is flushed, also during a command', async () => {
    const { container_id } = await cluster.alice.run('flushed', 'echo kept > file');
    const call = cluster.alice.run('flushed', 'touch on; sleep 8; echo whole');
    await eventually('it runs', async () => (await cluster.alice.run('flushed', 'test -e on')).exit_code === 0);
    await cluster.redis!.flush();
    expect(await cluster.alice.run('flushed', 'cat file')).toMatchObject({ stdout: 'kept\n', container_id, session_restarted: false });
    expect((await call).stdout).toBe('whole\n');
    expect(await cluster.deployment.containers()).toHaveLength(1);
  });

  it('answers 503 while Redis is away, ends running commands well, and recovers', async () => {
    const { container_id } = await cluster.alice.run('away', 'echo kept > file');
    const call = cluster.alice.execute('away', 'touch on; sleep 4; echo ran');
    await eventually('it runs', async () => (await cluster.alice.run('away', 'test -e on')).exit_code === 0);
    await cluster.redis!.down();
    expect((await call).body.stdout).toBe('ran\n');
    const answer = await cluster.alice.execute('away', 'true');
    expect(answer).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    const ready = await cluster.alice.request<{ checks: Record<string, string> }>('GET', '/ready');
    expect(ready.status).toBe(503);
    expect(JSON.stringify(ready.body)).toMatch(/store/);
    await cluster.redis!.up();
    for (const service of cluster.services) {
      await eventually('it answers again', async () => (await service.client(ALICE).execute('away', 'true')).status === 200);
    }
    expect(await cluster.alice.run('away', 'cat file')).toMatchObject({ stdout: 'kept\n', container_id });
  });

  it('answers 503 when Redis is silent', async () => {
    await cluster.alice.run('silent', 'true');
    cluster.redis!.signal('SIGSTOP');
    try {
      expect(await cluster.alice.execute('silent', 'true')).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
    } finally {
      cluster.redis!.signal('SIGCONT');
    }
    await eventually('it answers again', async () => (await cluster.alice.execute('silent', 'true')).status === 200);
  });

  it('removes nothing, and sweeps on, when Redis is away', async () => {
    const cleanup = await startCleanup({ deployment: cluster.deployment, redis: cluster.redis, env: { CLEANUP_INTERVAL_SECONDS: '1' } });
    try {
      await cluster.alice.run('swept', 'echo kept > file');
      await eventually('the worker is up', async () => cleanup.output !== '');
      await cluster.redis!.down();
      await sleep(4000);
      expect(cleanup.isRunning).toBe(true);
      await cluster.redis!.up();
      for (const service of cluster.services) {
        await eventually('it answers again', async () => (await service.client(ALICE).execute('swept', 'true')).status === 200);
      }
      expect((await cluster.alice.run('swept', 'cat file')).stdout).toBe('kept\n');
    } finally {
      expect(await cleanup.stop()).toBe(0);
    }
  });
});
