import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { loadConfig } from '@sandbox/config';
import type { SandboxOwner } from '../sandbox-runtime';
import { IsolationCheck } from './isolation';
import { SYSCTL } from './resolver-port';
import { type ApiProcess, apiProcess } from './testing/api-process';
import { endExec, FakeCluster, RUNNING, type Stored } from './testing/fake-cluster';

const PODS = '/api/v1/namespaces/boxes/pods';
const REFUSAL = `the cluster does not allow sandboxes the sysctl ${SYSCTL}`;
const config = loadConfig({ DEPLOYMENT: 'blue', EGRESS_ALLOW: 'packages' }, { needsAuth: false });

let cluster: FakeCluster;
let processes: ApiProcess[];

const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const someOwner = (): SandboxOwner => ({ key: randomBytes(32).toString('hex'), userKey: 'u'.repeat(64) });
const ensure = (owner: SandboxOwner, n = 0) => processes[n]!.sessions.ensure({ owner, options: null, settings: {} }, soon());
const refusalOf = (n: number): string | null => processes[n]!.pods.resolverPort.refusal;
const hasSysctl = ({ spec }: Stored): boolean => JSON.stringify(spec ?? {}).includes(SYSCTL);
const made = (): boolean[] => cluster.all('pods').map(hasSysctl);
const posts = (): number => cluster.requests.filter((each) => each === `POST ${PODS}`).length;

/** A kubelet takes the pod from the scheduler, and then does not start it. */
function refuseByKubelet(): void {
  cluster.start = (pod) => (hasSysctl(pod) ? { phase: 'Failed', reason: 'SysctlForbidden', message: 'forbidden sysctl' } : RUNNING);
}

/** The API server does not take the pod. */
function refuseByAdmission(): void {
  const message = `pods "p" is forbidden: violates PodSecurity: forbidden sysctls (${SYSCTL})`;
  cluster.admit = (pod) => (hasSysctl(pod) ? { code: 403, message } : null);
}

beforeEach(async () => {
  Logger.overrideLogger(false);
  cluster = await FakeCluster.begin();
  processes = [apiProcess(cluster, config), apiProcess(cluster, config)];
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const { pods } of processes) pods.watch.stop();
  await cluster.end();
});

describe('the port of the resolver', () => {
  it('has its sysctl in pods of a cluster that allows it', async () => {
    await ensure(someOwner());
    expect([made(), refusalOf(0)]).toEqual([[true], null]);
  });

  it.each([
    ['the kubelet', refuseByKubelet],
    ['the API server', refuseByAdmission],
  ])('is left out, once for all, when %s refuses its sysctl', async (_, refuse) => {
    refuse();
    expect(await ensure(someOwner())).toMatchObject({ created: true });
    expect([made(), refusalOf(0), posts()]).toEqual([[false], REFUSAL, 2]);
    await ensure(someOwner());
    expect([made(), posts()]).toEqual([[false, false], 3]);
  });

  it('is left out of pods of the pool, from the second attempt on, when the kubelet refuses its sysctl', async () => {
    refuseByKubelet();
    const { pooled } = processes[0]!;
    expect(await pooled.make(0, soon())).toBeNull();
    await pooled.waiting(soon());
    expect(await pooled.make(0, soon())).toMatchObject({ slot: { number: 0, current: true } });
    expect((await pooled.waiting(soon())).ready).toHaveLength(1);
  });

  it('makes no process replace the pod of another one when only one was refused', async () => {
    const [owner, other] = [someOwner(), someOwner()];
    const withPort = await ensure(owner, 0);
    refuseByKubelet();
    const without = await ensure(other, 1);
    expect([refusalOf(0), refusalOf(1)]).toEqual([null, REFUSAL]);
    expect(await ensure(owner, 1)).toMatchObject({ id: withPort.id, created: false });
    expect(await ensure(other, 0)).toMatchObject({ id: without.id, created: false });
  });

  it('is asked for again a while later, and refused to sessions until a pod has it', async () => {
    refuseByKubelet();
    await ensure(someOwner());
    const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 301_000);
    expect(refusalOf(0)).toBe(REFUSAL);
    await ensure(someOwner());
    expect([made(), refusalOf(0), posts()]).toEqual([[false, false], REFUSAL, 4]);
    cluster.start = () => RUNNING;
    clock.mockReturnValue(performance.now() + 301_000);
    await ensure(someOwner());
    expect([made(), refusalOf(0), posts()]).toEqual([[false, false, true], null, 5]);
  });

  it('is not taken for refused when the API server refuses a pod for something else', async () => {
    cluster.admit = (object) => (hasSysctl(object) ? { code: 403, message: 'exceeded quota: q' } : null);
    await expect(ensure(someOwner())).rejects.toMatchObject({ status: 403 });
    expect(refusalOf(0)).toBeNull();
  });

  it('does not keep the check of the isolation from its pod when its sysctl is refused', async () => {
    refuseByKubelet();
    cluster.exec = (socket) => {
      socket.send(Buffer.concat([Buffer.from([1]), Buffer.from('none\n')]));
      endExec(socket, 0);
    };
    await new IsolationCheck(processes[0]!.pods, true).require(soon());
    expect([refusalOf(0), posts()]).toEqual([null, 1]);
  });
});
