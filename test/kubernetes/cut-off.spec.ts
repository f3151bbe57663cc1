import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isOnNode, kubectl, podsOf, setLink, TEST_CLUSTER, type TestPod } from '../support/cluster-under-test';
import { TestDeployment } from '../support/service/deployment';
import { eventually, TestRedis } from '../support/service/processes';
import { ALICE, type Client, type Executed, Service } from '../support/service/service';

jest.setTimeout(400_000);

const cluster = TEST_CLUSTER;
if (cluster === null) throw new Error('These tests need a cluster: run `npm run test:kubernetes`.');

/** Longer than the lease that a sandbox gets from an API process, in milliseconds. */
const PAST_LEASE_MS = 75_000;

/** @returns whether a process of any node has the text in its command line */
const runs = (text: string): Promise<boolean> =>
  promisify(execFile)('pgrep', ['-f', text]).then(
    () => true,
    () => false,
  );

/** Real: a link is taken down, and processes are stopped. */
describe('A sandbox that no API process reaches', () => {
  const deployment = new TestDeployment();
  let redis: TestRedis;
  let services: Service[];
  let clients: Client[];

  const podOf = async ({ container_id }: Pick<Executed, 'container_id'>): Promise<TestPod | undefined> =>
    (await podsOf(cluster, `sandbox-api.deployment=${deployment.name}`)).find(({ metadata }) =>
      metadata.uid.replaceAll('-', '').startsWith(container_id),
    );
  /** Starts a job and a process of a command, and lets every replica have a channel. */
  const begin = async (session: string) => {
    const made = await clients[0]!.request('POST', '/sessions', { session_id: session, persistent: true });
    expect(made.status).toBe(200);
    const marks = ['job', 'left'].map((name) => `${name}-${randomBytes(8).toString('hex')}`);
    const started = await clients[0]!.request('POST', `/sessions/${session}/jobs`, {
      command: `while :; do echo x >> beats; sleep 0.2; done; : ${marks[0]}`,
    });
    expect(started.status).toBe(201);
    await clients[0]!.run(session, `(while :; do sleep 0.2; done; : ${marks[1]}) >/dev/null 2>&1 &`);
    let answer!: Executed;
    for (const client of clients) answer = await client.run(session, 'echo kept > file');
    expect(await Promise.all(marks.map(runs))).toEqual([true, true]);
    return { marks, pod: (await podOf(answer))! };
  };

  beforeAll(async () => {
    redis = await TestRedis.start();
    const env = { SESSION_TTL_SECONDS: '600', ALLOW_PERSISTENT_SESSIONS: 'true' };
    services = await Promise.all([1, 2].map(() => Service.start({ deployment, redis, env })));
    clients = services.map((service) => service.client(ALICE));
  });
  afterAll(async () => {
    await Promise.all((services ?? []).map((service) => service.stop('SIGKILL')));
    await redis?.stop();
    await deployment.removeAll();
  });

  it('has ended all that ran there when its session gets another one, and is removed when its node is back', async () => {
    const { marks, pod } = await begin('cut');
    const node = pod.status.hostIP!;
    const answers: { status: number; code?: string }[] = [];
    await setLink(cluster, node, 'down');
    try {
      await eventually(
        'the session has another sandbox',
        async () => {
          const { status, body } = await clients[1]!.execute('cut', 'cat file');
          answers.push({ status, code: (body as { code?: string }).code });
          if (status === 200) expect(body).toMatchObject({ stdout: 'kept\n', session_restarted: true });
          return status === 200;
        },
        240,
      );
      expect(await Promise.all(marks.map(runs))).toEqual([false, false]);
    } finally {
      await setLink(cluster, node, 'up');
    }
    for (const { status, code } of answers.slice(0, -1))
      expect([status, code]).toEqual([
        expect.any(Number),
        expect.stringMatching(/^(SANDBOX_LOST|SANDBOX_UNRESPONSIVE|RUNTIME_UNAVAILABLE)$/),
      ]);
    await kubectl(cluster, 'wait', '--for=condition=Ready', '--timeout=120s', `node/${node}`);
    const next = await clients[0]!.run('cut', 'cat file');
    expect(next).toMatchObject({ stdout: 'kept\n', session_restarted: false });
    expect((await podOf(next))?.metadata.name).not.toBe(pod.metadata.name);
    expect(await podOf({ container_id: pod.metadata.uid.replaceAll('-', '') })).toBeUndefined();
    await eventually('its old container is gone', async () => !(await isOnNode(cluster, pod)), 60);
    expect((await clients[0]!.deleteSession('cut')).status).toBe(200);
  });

  it('is deleted while it is cut off, and what ran there ends all the same', async () => {
    const { marks, pod } = await begin('deleted');
    const node = pod.status.hostIP!;
    await setLink(cluster, node, 'down');
    try {
      const removed = async () => (await clients[0]!.deleteSession('deleted')).status === 200;
      await eventually('it is deleted', removed, 120);
      expect(await podOf({ container_id: pod.metadata.uid.replaceAll('-', '') })).toBeUndefined();
      await eventually('its processes have ended', async () => !(await Promise.all(marks.map(runs))).includes(true), 120);
    } finally {
      await setLink(cluster, node, 'up');
    }
    await kubectl(cluster, 'wait', '--for=condition=Ready', '--timeout=120s', `node/${node}`);
    expect((await clients[1]!.request('GET', '/sessions/deleted')).status).toBe(404);
  });

  it('goes on when one of two API processes is stopped', async () => {
    const { marks } = await begin('stopped');
    services[0]!.child.signal('SIGSTOP');
    try {
      await sleep(PAST_LEASE_MS);
      expect(await Promise.all(marks.map(runs))).toEqual([true, true]);
    } finally {
      services[0]!.child.signal('SIGCONT');
    }
    expect(await clients[0]!.run('stopped', 'cat file')).toMatchObject({ stdout: 'kept\n', session_restarted: false });
    expect((await clients[0]!.deleteSession('stopped')).status).toBe(200);
  });
});
