import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type Config, loadConfig } from '@sandbox/config';
import type { SandboxOwner } from '../sandbox-runtime';
import { ANNOTATION, sessionName } from './names';
import { sessionPod } from './pod-spec';
import { PooledPods } from './pooled-pods';
import { ownerReference } from './session-locks';
import { type ApiProcess, apiProcess } from './testing/api-process';
import { endExec, FakeCluster, RUNNING } from './testing/fake-cluster';

const PODS = '/api/v1/namespaces/boxes/pods';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/boxes/leases';
const CLAIMS = '/api/v1/namespaces/boxes/persistentvolumeclaims';
const SETTINGS = { DEPLOYMENT: 'blue', ALLOW_PERSISTENT_SESSIONS: 'true', KUBERNETES_STORAGE_CLASS: 'fast' };
const config: Config = loadConfig(SETTINGS, { needsAuth: false });
let cluster: FakeCluster;
let processes: ApiProcess[];

beforeEach(async () => {
  Logger.overrideLogger(false);
  cluster = await FakeCluster.begin();
  processes = [apiProcess(cluster, config), apiProcess(cluster, config)];
});
afterEach(async () => {
  for (const { pods } of processes) pods.watch.stop();
  await cluster.end();
});

const someOwner = (): SandboxOwner => ({ key: randomBytes(32).toString('hex'), userKey: 'u'.repeat(64) });
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const ensure = (owner: SandboxOwner, options: object | null = null, n = 0) =>
  processes[n]!.sessions.ensure({ owner, options, settings: {} }, soon());
const remove = (owner: SandboxOwner, n = 0) => processes[n]!.sessions.remove(owner.key, soon());
const podPath = (key: string): string =>
  `${PODS}/${cluster.all('pods').find(({ metadata }) => metadata.annotations?.[ANNOTATION.session] === key)!.metadata.name}`;
const setStatus = (key: string, status: object): void => {
  const path = podPath(key);
  cluster.put(path, { ...cluster.objects.get(path)!, status: status as Record<string, unknown> });
};
const left = (): number[] => [cluster.all('pods').length, cluster.all('leases').length];

describe('SessionPods', () => {
  it('makes one pod and one lock when ten ask at once, and finds them again', async () => {
    const owner = someOwner();
    const all = await Promise.all(Array.from({ length: 10 }, (_, n) => ensure(owner, { cpus: 0.25 }, n % 2)));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    expect(left()).toEqual([1, 1]);
    expect(await processes[1]!.sessions.find(owner.key, soon())).toMatchObject({ id: all[0]!.id, key: owner.key, options: { cpus: 0.25 } });
  });

  it.each([
    ['has ended', (key: string) => setStatus(key, { phase: 'Failed' })],
    ['has reached its deadline', (key: string) => setStatus(key, { ...RUNNING, phase: 'Failed', reason: 'DeadlineExceeded' })],
    ['is gone', (key: string) => cluster.remove(podPath(key))],
  ])('makes another pod, with the same options and another name, when the old one %s', async (_, harm) => {
    const owner = someOwner();
    const first = await ensure(owner, { cpus: 0.25 });
    harm(owner.key);
    const second = await ensure(owner);
    expect(second).toMatchObject({ created: true, options: { cpus: 0.25 } });
    expect(second.id).not.toBe(first.id);
    expect(second.name).not.toBe(first.name);
    expect(left()).toEqual([1, 1]);
  });

  it('makes the pod that the lock names when its maker died before', async () => {
    const owner = someOwner();
    await processes[0]!.locks.createBefore(owner, 'named-before', {}, {}, soon());
    expect(await ensure(owner, null, 1)).toMatchObject({ name: 'named-before', created: true });
  });

  it('notes that a pod has run when its maker died before it could', async () => {
    const owner = someOwner();
    const lock = await processes[0]!.locks.createBefore(owner, 'named-before', {}, {}, soon());
    const pod = sessionPod(config, owner, { name: 'named-before', owner: ownerReference(lock!), options: {}, settings: {} });
    await processes[0]!.pods.create(pod, soon());
    expect(await ensure(owner, null, 1)).toMatchObject({ name: 'named-before', created: false });
    cluster.remove(podPath(owner.key));
    expect((await ensure(owner, null, 1)).name).not.toBe('named-before');
  });

  it('kills the processes before it removes a pod, and the lock last', async () => {
    const owner = someOwner();
    const { name } = await ensure(owner);
    cluster.requests.length = 0;
    await remove(owner);
    const lock = `${LEASES}/${sessionName(config, owner.key)}`;
    const changes = cluster.requests.filter((each) => !each.startsWith('GET'));
    expect(changes).toEqual([`PATCH ${lock}`, 'EXEC kill -9 -1', `DELETE ${PODS}/${name}`, `DELETE ${lock}`]);
    // A list would cost the API server a look at all pods.
    expect(cluster.requests).not.toContain(`GET ${PODS}`);
    await remove(owner);
    expect(left()).toEqual([0, 0]);
  });

  it('removes another pod of the session too, which its claimant has left', async () => {
    const owner = someOwner();
    await ensure(owner);
    const lock = await processes[0]!.locks.find(owner.key, soon());
    const parts = { name: 'left', owner: ownerReference(lock!), options: {}, settings: {} };
    await processes[0]!.pods.create(sessionPod(config, owner, parts), soon());
    await remove(owner);
    expect(left()).toEqual([0, 0]);
  });

  it('waits for the node when the processes cannot be killed', async () => {
    const owner = someOwner();
    await ensure(owner);
    cluster.exec = (socket) => endExec(socket, 126);
    cluster.requests.length = 0;
    await remove(owner);
    expect(cluster.requests.filter((each) => each.startsWith('DELETE') && each.includes('/pods/'))).toHaveLength(2);
    expect(left()).toEqual([0, 0]);
  });

  it('leaves nothing when a session is removed while its pod is made', async () => {
    const owner = someOwner();
    const name = sessionName(config, owner.key);
    const begun = cluster.start;
    cluster.start = (pod) => {
      cluster.start = begun;
      cluster.remove(`${LEASES}/${name}`);
      return begun(pod);
    };
    const made = await ensure(owner);
    // The pod of the lock that was removed is not given to anybody.
    expect(cluster.requests.filter((each) => each === `POST ${PODS}`)).toHaveLength(2);
    expect(cluster.all('pods').map(({ metadata }) => metadata.uid.replaceAll('-', ''))).toEqual([made.id]);
    expect(left()).toEqual([1, 1]);
  });

  it('goes on with a removal that another process has begun', async () => {
    const owner = someOwner();
    const first = await ensure(owner);
    const lock = `${LEASES}/${sessionName(config, owner.key)}`;
    const { metadata, ...rest } = cluster.objects.get(lock)!;
    cluster.put(lock, { ...rest, metadata: { ...metadata, annotations: { ...metadata.annotations, [ANNOTATION.closing]: 'true' } } });
    expect((await ensure(owner)).id).not.toBe(first.id);
    expect(left()).toEqual([1, 1]);
  });

  it('leaves nothing, and names the image, when the cluster does not get it', async () => {
    const owner = someOwner();
    cluster.start = () => ({
      phase: 'Pending',
      initContainerStatuses: [{ name: 'workspace', state: { waiting: { reason: 'ErrImagePull', message: 'secret.host' } } }],
    });
    const failure = ensure(owner, { image: 'absent:1' });
    await expect(failure).rejects.toMatchObject({ code: 'SANDBOX_IMAGE_UNUSABLE', message: expect.stringContaining('absent:1') });
    await expect(failure).rejects.not.toMatchObject({ message: expect.stringContaining('secret.host') });
    expect(left()).toEqual([0, 0]);
  });

  it('leaves nothing when the cluster refuses the pod', async () => {
    cluster.intercept = (request, response) => {
      if (request.method !== 'POST' || request.url !== PODS) return false;
      response.writeHead(403).end(JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'exceeded quota: q' }));
      return true;
    };
    await expect(ensure(someOwner())).rejects.toMatchObject({ status: 403 });
    expect(left()).toEqual([0, 0]);
  });

  it('refuses a lock that is another’s', async () => {
    const owner = someOwner();
    const name = sessionName(config, owner.key);
    cluster.put(`${LEASES}/${name}`, { metadata: { name, uid: 'x', resourceVersion: '' } });
    await expect(ensure(owner)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
  });
});

describe('SessionPods, of a session with a disk,', () => {
  const DISK = { disk: '64m' };
  const claims = (): string[] => cluster.all('persistentvolumeclaims').map(({ metadata }) => metadata.name);
  const lockPath = ({ key }: SandboxOwner): string => `${LEASES}/${sessionName(config, key)}`;
  const removeLost = () => processes[0]!.sessions.removeLostDisks(soon());

  it('makes a disk for the pod alone, which goes with the lock', async () => {
    const owner = someOwner();
    const all = await Promise.all([ensure(owner, DISK), ensure(owner, DISK, 1)]);
    expect(all[0]).toMatchObject({ options: DISK, id: all[1].id });
    const [disk, ...others] = cluster.all('persistentvolumeclaims');
    expect(others).toEqual([]);
    const { name, uid } = cluster.objects.get(lockPath(owner))!.metadata;
    expect(disk!.metadata).toMatchObject({ name: all[0].name, ownerReferences: [{ kind: 'Lease', name, uid }] });
    expect(disk!.spec).toMatchObject({ resources: { requests: { storage: String(64 * 1024 ** 2) } }, storageClassName: 'fast' });
    expect(cluster.objects.get(podPath(owner.key))!.spec!.volumes).toContainEqual({
      name: 'workspace',
      persistentVolumeClaim: { claimName: all[0].name },
    });
  });

  it.each([
    ['has ended', (key: string) => setStatus(key, { phase: 'Failed' })],
    ['is gone', (key: string) => cluster.remove(podPath(key))],
  ])('makes a new disk, and removes the old one, when the pod %s', async (_, harm) => {
    const owner = someOwner();
    const first = await ensure(owner, DISK);
    harm(owner.key);
    const second = await ensure(owner, null, 1);
    expect(second).toMatchObject({ created: true, options: DISK });
    expect(second.name).not.toBe(first.name);
    expect(claims()).toEqual([second.name]);
  });

  it('removes the disk before the lock when the session is removed', async () => {
    const owner = someOwner();
    const { name } = await ensure(owner, DISK);
    cluster.requests.length = 0;
    await remove(owner);
    expect(cluster.requests.filter((each) => each.startsWith('DELETE'))).toEqual([
      `DELETE ${PODS}/${name}`,
      `DELETE ${CLAIMS}/${name}`,
      `DELETE ${lockPath(owner)}`,
    ]);
    expect([...left(), ...claims()]).toEqual([0, 0]);
  });

  it('leaves no disk of a pod when another process has made one for the session meanwhile', async () => {
    const owner = someOwner();
    cluster.start = () => {
      cluster.start = () => RUNNING;
      const lock = cluster.objects.get(lockPath(owner))!;
      cluster.put(lockPath(owner), { ...lock, spec: { holderIdentity: 'another' } });
      return RUNNING;
    };
    const made = await ensure(owner, DISK);
    expect(made.name).toBe('another');
    expect(claims()).toEqual(['another']);
  });

  it('never takes a disk for the volume of the session', async () => {
    const owner = someOwner();
    const { name } = await ensure(owner, DISK);
    // The cluster has not removed the disk with its lock yet.
    cluster.remove(podPath(owner.key));
    cluster.remove(lockPath(owner));
    expect(claims()).toEqual([name]);
    expect(await processes[0]!.sessions.isVacant(owner.key, soon())).toBe(true);
    await processes[0]!.claims.removeVolume(owner.key, soon());
    expect(claims()).toEqual([name]);
    expect((await ensure(owner, {})).options).toEqual({});
  });

  it('removes a persistent volume only when it is told to', async () => {
    const owner = someOwner();
    const kept = { ...DISK, persistent: true };
    await ensure(owner, kept);
    const [volume] = claims();
    expect(cluster.objects.get(`${CLAIMS}/${volume}`)!.metadata.ownerReferences).toBeUndefined();
    cluster.remove(podPath(owner.key));
    expect(await removeLost()).toBe(0);
    expect((await ensure(owner)).options).toEqual(kept);
    await remove(owner);
    expect(await processes[0]!.sessions.isVacant(owner.key, soon())).toBe(false);
    // The session asks for less, and gets its volume.
    expect((await ensure(owner, { disk: '16m' })).options).toEqual(kept);
    await remove(owner);
    expect(claims()).toEqual([volume]);
    await processes[0]!.claims.removeVolume(owner.key, soon());
    expect(claims()).toEqual([]);
  });

  it('removes a lost disk once, and none that a pod has or is about to have', async () => {
    const [lost, live, begun] = [someOwner(), someOwner(), someOwner()];
    await ensure(lost, DISK);
    const { name } = await ensure(live, DISK);
    const lock = await processes[1]!.locks.createBefore(begun, 'about-to-be', DISK, {}, soon());
    await processes[1]!.claims.ensureDisk(begun, 'about-to-be', ownerReference(lock!), 64 * 1024 ** 2, soon());
    expect(await removeLost()).toBe(0);
    cluster.remove(podPath(lost.key));
    expect(await removeLost()).toBe(1);
    expect(claims()).toEqual([name, 'about-to-be']);
    expect(await removeLost()).toBe(0);
  });

  it('does not count a disk again when the cluster is about to forget it', async () => {
    const owner = someOwner();
    const { name } = await ensure(owner, DISK);
    cluster.remove(podPath(owner.key));
    const { metadata, ...rest } = cluster.objects.get(`${CLAIMS}/${name}`)!;
    cluster.put(`${CLAIMS}/${name}`, { ...rest, metadata: { ...metadata, deletionTimestamp: new Date().toISOString() } });
    expect(await removeLost()).toBe(0);
  });

  it('leaves a claim alone when it is not ours', async () => {
    const owner = someOwner();
    const { name } = await ensure(owner, DISK);
    const { metadata, ...rest } = cluster.objects.get(`${CLAIMS}/${name}`)!;
    cluster.put(`${CLAIMS}/${name}`, { ...rest, metadata: { ...metadata, labels: {} } });
    await remove(owner);
    expect(claims()).toEqual([name]);
  });
});

describe('PooledPods', () => {
  const claim = (owner: SandboxOwner, waiting: Awaited<ReturnType<PooledPods['make']>>, n = 0) =>
    processes[n]!.pooled.claim(owner, waiting!, soon());

  it('gives a waiting pod to one of two sessions', async () => {
    for (let round = 0; round < 20; round++) {
      const waiting = await processes[0]!.pooled.make(0, soon());
      const owners = [someOwner(), someOwner()];
      const claims = await Promise.all(owners.map((owner, n) => claim(owner, waiting, n)));
      const winner = claims.findIndex((each) => each !== null);
      expect(claims.filter((each) => each !== null)).toEqual([
        expect.objectContaining({ id: waiting!.id, key: owners[winner]!.key, slot: null }),
      ]);
      expect(await processes[1]!.sessions.find(owners[winner]!.key, soon())).toMatchObject({ id: waiting!.id });
      expect(await processes[1]!.sessions.isVacant(owners[1 - winner]!.key, soon())).toBe(true);
      await remove(owners[winner]!);
      expect(left()).toEqual([0, 0]);
    }
  });

  it('gives nothing to a session that has a pod', async () => {
    const waiting = await processes[0]!.pooled.make(0, soon());
    const owner = someOwner();
    await ensure(owner);
    expect(await claim(owner, waiting)).toBeNull();
    expect((await processes[0]!.pooled.waiting(soon())).ready).toMatchObject([{ id: waiting!.id, slot: { number: 0, current: true } }]);
  });

  it('makes a pod for the session when a claimant died before the pod was the session’s', async () => {
    const waiting = await processes[0]!.pooled.make(0, soon());
    const owner = someOwner();
    await processes[0]!.locks.createFor(owner, waiting!.name, soon());
    const made = await ensure(owner, null, 1);
    expect(made.created).toBe(true);
    expect(made.id).not.toBe(waiting!.id);
    expect((await processes[0]!.pooled.waiting(soon())).ready).toHaveLength(1);
  });

  it('gives up a claim when another process has made the session’s pod meanwhile', async () => {
    const waiting = await processes[0]!.pooled.make(0, soon());
    const owner = someOwner();
    // The other process comes between the lock and the pod.
    const { createFor } = processes[0]!.locks;
    let other: Awaited<ReturnType<typeof ensure>> | undefined;
    processes[0]!.locks.createFor = async (...given) => {
      const lock = await createFor.apply(processes[0]!.locks, given);
      other = await ensure(owner, null, 1);
      return lock;
    };
    expect(await claim(owner, waiting)).toBeNull();
    expect(await ensure(owner)).toMatchObject({ id: other!.id, created: false });
    expect(left()).toEqual([1, 1]);
  });

  it('claims at a later version when the kubelet has changed the pod', async () => {
    const waiting = await processes[0]!.pooled.make(0, soon());
    const path = `${PODS}/${waiting!.name}`;
    let changes = 0;
    cluster.intercept = (request) => {
      if (request.method === 'PATCH' && request.url === path && changes++ < 2)
        cluster.put(path, { ...cluster.objects.get(path)!, status: RUNNING });
      return false;
    };
    expect(await claim(someOwner(), waiting)).toMatchObject({ id: waiting!.id });
    expect(changes).toBe(3);
  });

  it('discards a waiting pod, and none that a session has', async () => {
    const [one, other] = [await processes[0]!.pooled.make(0, soon()), await processes[0]!.pooled.make(1, soon())];
    await claim(someOwner(), other);
    expect(await processes[1]!.pooled.discard(one!, soon())).toBe(true);
    expect(await processes[1]!.pooled.discard(one!, soon())).toBe(true);
    expect(await processes[1]!.pooled.discard(other!, soon())).toBe(false);
    expect(left()).toEqual([1, 1]);
  });
});
