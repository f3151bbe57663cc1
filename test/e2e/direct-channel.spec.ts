import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEST_CHANNEL } from '../support/engine-under-test';
import { TestEngine } from '../support/service/engine';
import { eventually, TestRedis } from '../support/service/processes';
import { docker, TestDeployment } from '../support/service/deployment';
import { ALICE, type Client, Service, startCleanup } from '../support/service/service';

jest.setTimeout(240_000);

const METRICS_TOKEN = 'a-token-for-prometheus';

async function transportOf(service: Service): Promise<unknown> {
  let channel: unknown;
  // A busy machine may take longer than one check may.
  await eventually('it is ready', async () => {
    const { status, body } = await service.client(ALICE).request('GET', '/ready');
    channel = body.channel;
    return status === 200;
  });
  return channel;
}

async function openChannels(service: Service): Promise<Record<string, number>> {
  const response = await fetch(`${service.url}/metrics`, { headers: { Authorization: `Bearer ${METRICS_TOKEN}` } });
  const rows = [...(await response.text()).matchAll(/^sandbox_api_channels_open\{channel="(\w+)"\} (\d+)$/gm)];
  return Object.fromEntries(rows.map(([, channel, count]) => [channel, Number(count)]));
}

// With SANDBOX_TEST_CHANNEL=exec there is no directory; all other tests then use the exec's stream.
(TEST_CHANNEL === 'direct' ? describe : describe.skip)('The direct channel', () => {
  let deployment: TestDeployment;
  let redis: TestRedis;
  let service: Service;
  let alice: Client;
  const env = { METRICS_TOKEN, SESSION_TTL_SECONDS: '600' };

  beforeAll(async () => {
    deployment = new TestDeployment();
    redis = await TestRedis.start();
    service = await Service.start({ deployment, redis, env });
    alice = service.client(ALICE);
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await redis?.stop();
    await deployment.removeAll();
  });

  const containerOf = async (session: string): Promise<string> => (await alice.run(session, 'true')).container_id;
  const directoryOf = async (session: string): Promise<string> => {
    const { Mounts } = await docker.getContainer(await containerOf(session)).inspect();
    return Mounts.find(({ Destination }) => Destination === '/run/sandbox')!.Source!;
  };

  it('is told by /ready and counted by /metrics', async () => {
    expect(await transportOf(service)).toBe('direct');
    const { direct = 0 } = await openChannels(service);
    await alice.run('counted', 'true');
    expect(await openChannels(service)).toEqual({ direct: direct + 1, exec: 0 });
  });

  it('gives a sandbox its own directory alone, empty and read-only', async () => {
    const { stdout } = await alice.run('mine', "ls -A /run/sandbox | wc -l; grep -c ' /run/sandbox ' /proc/self/mountinfo; ls /run");
    expect(stdout).toMatch(/^0\n1\n(.*\n)*sandbox\n/);
    const attempts =
      'for f in touch mkdir mkfifo "ln -s /"; do $f /run/sandbox/x; done; rm -r /run/sandbox; mv /run/sandbox /run/y; umount /run/sandbox; mount -o remount,rw /run/sandbox';
    await alice.run('mine', attempts);
    expect(readdirSync(await directoryOf('mine'))).toEqual([]);
    expect(await directoryOf('mine')).not.toBe(await directoryOf('other'));
    const { Mounts, HostConfig } = await docker.getContainer(await containerOf('mine')).inspect();
    expect(Mounts.filter(({ Type }) => Type === 'bind')).toEqual([expect.objectContaining({ Destination: '/run/sandbox', RW: false })]);
    expect(HostConfig.Binds ?? []).toEqual([]);
  });

  it('is removed with its container', async () => {
    const name = (await directoryOf('short')).split('/').at(-1)!;
    expect(readdirSync(deployment.channels)).toContain(name);
    await alice.deleteSession('short');
    expect(readdirSync(deployment.channels)).not.toContain(name);
  });

  it('lets no command take the agent’s place when commands flood each socket that appears', async () => {
    // Four processes connect as fast as they can; some show a wrong token, some nothing.
    const flood = `
import os, socket, threading, time
def run(n):
    kept = []
    while True:
        for name in os.listdir("/run/sandbox"):
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect("/run/sandbox/" + name)
                s.sendall(b"0" * (64 if n % 2 else 10))
                open("/workspace/reached", "w").close()
            except OSError:
                pass
            kept = kept[-20:] + [s]
for n in range(4): threading.Thread(target=run, args=(n,)).start()
`;
    await alice.request('PUT', alice.workspace('flood', 'flood.py', true), flood, {
      headers: { 'Content-Type': 'application/octet-stream' },
      body: flood,
    });
    await alice.request('POST', '/sessions/flood/jobs', { command: 'exec python3 flood.py' });
    for (let turn = 0; turn < 5; turn++) {
      // The agent dies, so the next call starts another one, which comes upon the flood.
      await alice.execute('flood', 'kill -9 $(pgrep -f "^python3 -I -S -u -c" | head -1); kill -9 $PPID; sleep 5');
      expect((await alice.run('flood', 'echo served', { timeout: 20 })).stdout).toBe('served\n');
    }
    expect((await alice.run('flood', 'test -e reached && echo reached')).stdout).toBe('reached\n');
    expect((await alice.run('mine', 'echo served')).stdout).toBe('served\n');
    await alice.deleteSession('flood');
  });

  it('ends the agents when the API is killed, and the next process opens channels of its own', async () => {
    const container = await containerOf('kept');
    await alice.run('kept', 'echo kept > file');
    const agents = async (): Promise<number> => {
      const { Processes } = await docker.getContainer(container).top();
      return (Processes as string[][]).filter((row) => row.at(-1)!.startsWith('python3 -I -S -u')).length;
    };
    expect(await agents()).toBeGreaterThan(0);
    await service.stop('SIGKILL');
    await eventually('the agents have ended', async () => (await agents()) === 0);
    service = await Service.start({ deployment, redis, env });
    alice = service.client(ALICE);
    expect(await alice.run('kept', 'cat file; ls -A /run/sandbox')).toMatchObject({ stdout: 'kept\n', container_id: container });
    expect((await openChannels(service)).exec).toBe(0);
  });

  it('leaves no directory when nothing but a dead process’s is there and the sweeper comes', async () => {
    const left = join(deployment.channels, '0123456789ab');
    mkdirSync(left);
    writeFileSync(join(left, 'socket'), '');
    utimesSync(left, new Date(0), new Date(0));
    const cleanup = await startCleanup({ deployment, redis, env: { CLEANUP_INTERVAL_SECONDS: '1' } });
    try {
      await eventually('it is swept', async () => !readdirSync(deployment.channels).includes('0123456789ab'));
      expect((await alice.run('kept', 'cat file')).stdout).toBe('kept\n');
    } finally {
      await cleanup.stop();
    }
  });
});

(TestEngine.canRemapUsers && TEST_CHANNEL === 'direct' ? describe : describe.skip)(
  'The direct channel, on an engine of its own (needs root on Linux),',
  () => {
    it('leads into sandboxes when the engine gives their users other ids on the host', async () => {
      const engine = await TestEngine.start({ remapsUsers: true });
      const service = await Service.start({ deployment: new TestDeployment(), env: { DOCKER_HOST: engine.host } });
      try {
        const { stdout } = await service.client(ALICE).run('s', "id -u; awk '{print $2}' /proc/self/uid_map");
        expect(stdout).toBe('1000\n1000000\n');
        expect(await transportOf(service)).toBe('direct');
      } finally {
        await service.stop('SIGKILL');
        await engine.stop();
      }
    });
  },
);

describe('Without a direct channel, a service', () => {
  const parents: string[] = [];
  const directory = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'channels-'));
    parents.push(made);
    return made;
  };
  afterAll(() => parents.forEach((parent) => rmSync(parent, { recursive: true, force: true })));

  it.each<[string, () => string, boolean]>([
    ['CHANNEL_DIRECTORY is empty', () => '', false],
    ['CHANNEL_DIRECTORY is a file', () => (writeFileSync(join(directory(), 'file'), ''), join(parents.at(-1)!, 'file')), true],
  ])('uses the engine’s streams when %s', async (_what, channelDirectory, warns) => {
    const deployment = new TestDeployment();
    const service = await Service.start({ deployment, env: { CHANNEL_DIRECTORY: channelDirectory() } });
    try {
      expect((await service.client(ALICE).run('s', 'ls -d /run/sandbox; echo served')).stdout).toBe('served\n');
      expect(await transportOf(service)).toBe('exec');
      const isWarned = (): boolean => service.child.output.includes('CHANNEL_DIRECTORY cannot be used');
      if (warns) await eventually('it is logged', async () => isWarned());
      else expect(isWarned()).toBe(false);
    } finally {
      await service.stop('SIGKILL');
      await deployment.removeAll();
    }
  });

  const itAsRoot = TestEngine.possible ? it : it.skip;
  itAsRoot('uses the engine’s streams, and says so, when the engine does not see the directory (needs root on Linux)', async () => {
    const deployment = new TestDeployment();
    const hidden = directory();
    // A file system that only the service sees is mounted there.
    const under = ['unshare', '--mount', 'sh', '-c', `mount -t tmpfs tmpfs ${hidden} && exec "$0" "$@"`];
    const service = await Service.start({ deployment, env: { CHANNEL_DIRECTORY: hidden }, under });
    try {
      const alice = service.client(ALICE);
      // Several are made at once, so that one finds out while others are under way.
      const answers = await Promise.all(['a', 'b', 'c', 'd'].map((session) => alice.run(session, 'echo served')));
      expect(answers.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 4 }, () => 'served\n'));
      expect(await transportOf(service)).toBe('exec');
      const warnings = (): number => service.child.output.match(/CHANNEL_DIRECTORY cannot be used/g)?.length ?? 0;
      await eventually('it is logged', async () => warnings() > 0);
      expect(warnings()).toBe(1);
      expect(readdirSync(hidden)).toEqual([]);
    } finally {
      await service.stop('SIGKILL');
      await deployment.removeAll();
    }
  });
});
