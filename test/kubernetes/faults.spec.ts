import { setTimeout as sleep } from 'node:timers/promises';
import { kubectl, podsOf, signalProgram, TEST_CLUSTER, vanishPod } from '../support/cluster-under-test';
import { ApiServerProxy, type Behaviour } from '../support/service/api-server-proxy';
import { TestDeployment } from '../support/service/deployment';
import { eventually, type ServiceProcess, TestRedis } from '../support/service/processes';
import { ALICE, type Answer, type Client, type Executed, Service, startCleanup } from '../support/service/service';

jest.setTimeout(300_000);

const cluster = TEST_CLUSTER;
if (cluster === null) throw new Error('These tests need a cluster: run `npm run test:kubernetes`.');

/** How long a program of the cluster hangs, in milliseconds. */
const HANG_MS = 8_000;
/** What a call may answer while something is broken. Anything else is a fault of ours. */
const TYPED = /^(SANDBOX_LOST|SANDBOX_UNRESPONSIVE|RUNTIME_UNAVAILABLE|DISK_UNAVAILABLE|STORE_UNAVAILABLE|HOST_FULL)$/;

async function hang(...programs: string[]): Promise<void> {
  for (const program of programs) signalProgram(cluster!, program, 'SIGSTOP');
  await sleep(HANG_MS);
  for (const program of programs) signalProgram(cluster!, program, 'SIGCONT');
}

async function kill(program: string): Promise<void> {
  signalProgram(cluster!, program, 'SIGKILL');
}

const ofNodes = (program: string): string[] => cluster.nodes.map(({ address }) => `${program}-${address}`);

/**
 * Real: each program of the cluster is killed or stopped, as it happens to them. A proxy stands for
 * an API server that answers slowly, or refuses.
 */
describe('The service, at faults of a cluster,', () => {
  const deployment = new TestDeployment();
  let redis: TestRedis;
  let proxy: ApiServerProxy;
  let service: Service;
  let cleanup: ServiceProcess;
  let alice: Client;
  let count = 0;
  const made: string[] = [];

  const keyOf = async (session: string): Promise<string> => {
    const { container_id } = await alice.run(session, 'true');
    const pods = await podsOf(cluster, `sandbox-api.deployment=${deployment.name},sandbox-api.kind=session`);
    return pods.find(({ metadata }) => metadata.uid.replaceAll('-', '').startsWith(container_id))!.metadata.name;
  };
  const podNamed = async (name: string) =>
    (await podsOf(cluster, `sandbox-api.deployment=${deployment.name}`)).find(({ metadata }) => metadata.name === name)!;

  beforeAll(async () => {
    redis = await TestRedis.start();
    proxy = await ApiServerProxy.start(cluster);
    const env = {
      KUBERNETES_KUBECONFIG: proxy.kubeconfig,
      SESSION_TTL_SECONDS: '300',
      ALLOW_PERSISTENT_SESSIONS: 'true',
      CLEANUP_INTERVAL_SECONDS: '2',
      CLEANUP_MAX_CONTAINER_AGE_SECONDS: '60',
    };
    service = await Service.start({ deployment, redis, env });
    cleanup = await startCleanup({ deployment, redis, env });
    alice = service.client(ALICE);
  });
  afterAll(async () => {
    await cleanup?.stop('SIGKILL');
    await service?.stop('SIGKILL');
    await proxy?.stop();
    await redis?.stop();
    await deployment.removeAll();
  });

  /**
   * Runs commands all the time, each with a number of its own, which it adds to a file of a
   * persistent workspace.
   * @returns ends the commands, and tells which were answered well and which not
   */
  function load(session: string): () => Promise<{ done: number[]; answers: Answer<Executed & { code?: string }>[] }> {
    const done: number[] = [];
    const answers: Answer<Executed & { code?: string }>[] = [];
    let goes = true;
    const running = (async () => {
      while (goes) {
        const number = (count += 1);
        const answer = await alice.execute(session, `echo ${number} >> log`, { timeout: 20 });
        answers.push(answer);
        if (answer.status === 200 && answer.body.exit_code === 0) done.push(number);
        else await sleep(200);
      }
    })();
    return async () => {
      goes = false;
      await running;
      return { done, answers };
    };
  }

  /** Has the API server behave so while new sessions are made. @returns what they answered */
  async function misbehave(behaviour: Behaviour): Promise<number[]> {
    proxy.behaviour = behaviour;
    try {
      const sessions = [1, 2, 3].map(() => `new-${(count += 1)}`);
      made.push(...sessions);
      const answers = await Promise.all(sessions.map((session) => alice.execute(session, 'true')));
      for (const { status, body } of answers) if (status !== 200) expect((body as { code?: string }).code).toMatch(TYPED);
      return answers.map(({ status }) => status);
    } finally {
      proxy.behaviour = {};
    }
  }

  it.each<[string, (pod: string) => Promise<unknown>]>([
    ['the API server takes 2 s for an answer', async () => expect(await misbehave({ delayMs: 2_000 })).toEqual([200, 200, 200])],
    ['the API server answers 429', async () => expect(await misbehave({ isBusy: true })).toEqual([503, 503, 503])],
    ['watches are cut', async () => expect(await misbehave({ watches: 'cut' })).toEqual([200, 200, 200])],
    ['watches are too old', async () => expect(await misbehave({ watches: 'expired' })).toEqual([200, 200, 200])],
    [
      'the quota is used up',
      async () => {
        await kubectl(cluster, 'create', 'quota', 'none', '--hard=pods=0');
        try {
          expect(await misbehave({})).toEqual([503, 503, 503]);
        } finally {
          await kubectl(cluster, 'delete', 'quota', 'none');
        }
      },
    ],
    ['the API server is killed', () => kill('apiserver')],
    ['the API server hangs', () => hang('apiserver')],
    ['etcd is killed', () => kill('etcd')],
    ['etcd hangs', () => hang('etcd')],
    ['the kubelets are killed', () => Promise.all(ofNodes('kubelet').map(kill))],
    ['the kubelets hang', () => hang(...ofNodes('kubelet'))],
    ['containerd is killed', () => Promise.all(ofNodes('containerd').map(kill))],
    ['containerd hangs', () => hang(...ofNodes('containerd'))],
    ['the pod is deleted', async (pod) => vanishPod(cluster, await podNamed(pod))],
    ['the pod is evicted', (pod) => kubectl(cluster, 'delete', 'pod', pod, '--grace-period=1', '--wait=false')],
    ['the lease is deleted', (pod) => kubectl(cluster, 'delete', 'lease', pod.replace(/-[0-9a-f]{8}$/, ''))],
    [
      'its node is drained',
      async (pod) => {
        const { hostIP } = (await podNamed(pod)).status;
        await kubectl(cluster, 'drain', hostIP!, '--force', '--delete-emptydir-data', '--grace-period=1', '--timeout=60s');
        await kubectl(cluster, 'uncordon', hostIP!);
      },
    ],
  ])('answers in its own words, loses nothing that is kept and runs nothing twice when %s', async (fault, harm) => {
    const session_id = fault.replaceAll(' ', '-');
    expect((await alice.request('POST', '/sessions', { session_id, persistent: true })).status).toBe(200);
    const pod = await keyOf(session_id);
    const end = load(session_id);
    await sleep(1_000);
    await harm(pod);
    await sleep(2_000);
    await eventually('it works again', async () => (await alice.execute(session_id, 'true')).status === 200, 120);
    const { done, answers } = await end();
    const untyped = answers.filter(({ status, body }) => status !== 200 && !TYPED.test(body.code ?? ''));
    expect(untyped).toEqual([]);
    expect(done.length).toBeGreaterThan(1);
    const log = (await alice.run(session_id, 'cat log')).stdout.trim().split('\n').map(Number);
    expect(new Set(log).size).toBe(log.length);
    expect(done.filter((number) => !log.includes(number))).toEqual([]);
    await eventually('it is deleted', async () => [200, 404].includes((await alice.deleteSession(session_id)).status), 60);
  });

  it('leaves no pod, no lease and no volume when all sessions are deleted', async () => {
    for (const session of made) await alice.deleteSession(session);
    const names = async (): Promise<string> =>
      kubectl(cluster, 'get', 'pods,leases,pvc', '--selector', `sandbox-api.deployment=${deployment.name}`, '--output', 'name');
    await eventually('nothing is left', async () => (await names()) === '', 120);
  });
});
