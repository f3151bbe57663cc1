import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { ApiServer } from './api-server';
import { idOf, type Pod } from './objects';
import { PodWatch } from './pod-watch';
import { FakeCluster, type Stored } from './testing/fake-cluster';

const PODS = '/api/v1/namespaces/boxes/pods';
let cluster: FakeCluster;
let watch: PodWatch;

beforeEach(async () => {
  Logger.overrideLogger(false);
  cluster = await FakeCluster.begin();
  watch = new PodWatch(new ApiServer(cluster.access), PODS, 'team=blue');
});
afterEach(async () => {
  watch.stop();
  await cluster.end();
});

const put = (name: string, phase = 'Running', quietly = false): void => {
  const known = cluster.objects.get(`${PODS}/${name}`);
  const metadata = known?.metadata ?? { name, uid: `u-${name}`, resourceVersion: '', labels: { team: 'blue' } };
  cluster.put(`${PODS}/${name}`, { metadata, spec: { containers: [] }, status: { phase } } as Stored, quietly);
};
const until = (name: string, phase: string | null): Promise<string> =>
  watch.until(name, (pod) => ((pod?.status?.phase ?? null) === phase ? 'seen' : null), AbortSignal.timeout(20_000));
const watching = async (): Promise<void> => {
  while (cluster.watching === 0) await sleep(5);
};

describe('PodWatch', () => {
  it('tells of pods that are there, that come, change and go', async () => {
    put('old');
    await until('old', 'Running');
    await watching();
    const seen = until('new', 'Failed');
    put('new');
    put('new', 'Failed');
    await seen;
    const gone = until('new', null);
    cluster.remove(`${PODS}/new`);
    await gone;
    expect([watch.nameOf('uold'), watch.nameOf('unew')]).toEqual(['old', null]);
  });

  it('says whether it is open, and how often it broke off', async () => {
    const first = AbortSignal.timeout(20_000);
    expect(watch.state).toEqual({ isConnected: false, lost: 0 });
    put('one');
    await until('one', 'Running');
    await watching();
    while (!watch.state.isConnected) await sleep(5, undefined, { signal: first });
    // An end is no break.
    cluster.closeWatches();
    while (watch.state.isConnected) await sleep(5, undefined, { signal: first });
    await watching();
    while (!watch.state.isConnected) await sleep(5, undefined, { signal: first });
    expect(watch.state.lost).toBe(0);
    cluster.expireWatches();
    while (watch.state.lost === 0) await sleep(5, undefined, { signal: first });
    while (!watch.state.isConnected) await sleep(5, undefined, { signal: first });
    expect(watch.state).toEqual({ isConnected: true, lost: 1 });
  });

  it('keeps no large part of a pod that nobody reads', async () => {
    const metadata = { name: 'whole', uid: 'u-whole', resourceVersion: '', labels: { team: 'blue' }, annotations: { a: 'b' } };
    const volumes = [{ persistentVolumeClaim: { claimName: 'c' } }];
    const container = { name: 'sandbox', image: 'i', env: [{ name: 'A', value: 'b' }] };
    const spec = { volumes, initContainers: [container], containers: [container] };
    const managedFields = [{ manager: 'kubelet' }];
    cluster.put(`${PODS}/whole`, { metadata: { ...metadata, managedFields }, spec, status: { phase: 'Running' } } as Stored);
    expect(await watch.until('whole', (pod) => pod, AbortSignal.timeout(20_000))).toEqual({
      metadata: { ...metadata, resourceVersion: expect.any(String) as string },
      spec: { volumes, containers: [{ image: 'i' }] },
      status: { phase: 'Running' },
    });
  });

  it('goes on from where it was when the server closes it', async () => {
    put('one');
    await until('one', 'Running');
    await watching();
    const lists = () => cluster.requests.filter((each) => each === `GET ${PODS}`).length;
    const before = lists();
    cluster.closeWatches();
    while (cluster.watching > 0) await sleep(5);
    await watching();
    put('one', 'Failed');
    await until('one', 'Failed');
    // One more watch, and no list.
    expect(lists()).toBe(before + 1);
  });

  it('lists anew when the server has forgotten its version, and learns what it has missed', async () => {
    put('stays');
    put('goes');
    await until('goes', 'Running');
    await watching();
    const [changed, gone] = [until('stays', 'Failed'), until('goes', null)];
    put('stays', 'Failed', true);
    cluster.remove(`${PODS}/goes`, true);
    cluster.expireWatches();
    await Promise.all([changed, gone]);
  });

  it('lists anew when the server answers a watch with 410', async () => {
    put('one');
    cluster.intercept = (request, response) => {
      if (!request.url!.includes('watch=true')) return false;
      response.writeHead(410).end(JSON.stringify({ kind: 'Status', code: 410, reason: 'Expired' }));
      put('one', 'Failed', true);
      cluster.intercept = () => false;
      return true;
    };
    await until('one', 'Failed');
  });

  it('keeps what it knows while the server is away, and goes on when it is back', async () => {
    put('one');
    await until('one', 'Running');
    await watching();
    cluster.intercept = (request) => (request.socket.destroy(), true);
    cluster.closeWatches();
    while (cluster.watching > 0) await sleep(5);
    await sleep(300);
    expect(watch.nameOf('uone')).toBe('one');
    put('one', 'Failed');
    cluster.intercept = () => false;
    await until('one', 'Failed');
  });

  it('takes no late answer for the present', async () => {
    put('one');
    const first = cluster.objects.get(`${PODS}/one`) as unknown as Pod;
    put('one', 'Failed');
    await until('one', 'Failed');
    watch.note(first);
    await until('one', 'Failed');
    await watching();
    const gone = until('one', null);
    cluster.remove(`${PODS}/one`);
    await gone;
    watch.note(first);
    expect(watch.nameOf(idOf(first))).toBeNull();
  });

  it('rejects with the reason of the signal, or what the look throws', async () => {
    await expect(watch.until('none', () => null, AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
    put('one');
    const look = (pod: Pod | null): null => {
      if (pod !== null) throw new Error('bad');
      return null;
    };
    await expect(watch.until('one', look, AbortSignal.timeout(20_000))).rejects.toThrow('bad');
  });
});
