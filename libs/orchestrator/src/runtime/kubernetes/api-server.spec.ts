import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer, refusal } from './api-server';
import { FakeCluster } from './testing/fake-cluster';

const PODS = '/api/v1/namespaces/boxes/pods';
let cluster: FakeCluster;
let server: ApiServer;
beforeEach(async () => {
  cluster = await FakeCluster.begin();
  server = new ApiServer(cluster.access);
});
afterEach(() => cluster.end());
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const put = (name: string): void => cluster.put(`${PODS}/${name}`, { metadata: { name, uid: name, resourceVersion: '' } });

describe('ApiServer', () => {
  it('throws what the server says when it refuses', async () => {
    await expect(server.call({ method: 'GET', path: `${PODS}/none`, signal: soon() })).rejects.toMatchObject({
      name: 'KubernetesError',
      status: 404,
      reason: 'NotFound',
    });
  });

  it('lists page by page', async () => {
    cluster.intercept = (request, response) => {
      const { searchParams } = new URL(request.url!, 'http://x');
      const isFirst = searchParams.get('continue') === null;
      const metadata = isFirst ? { resourceVersion: '7', continue: 'more' } : { resourceVersion: '7' };
      response.end(JSON.stringify({ metadata, items: [isFirst ? 'a' : 'b'] }));
      return true;
    };
    expect(await server.list(PODS, 'x=y', soon())).toEqual({ items: ['a', 'b'], resourceVersion: '7' });
  });

  it('sends a call again when the server has closed a kept connection', async () => {
    put('one');
    const get = () => server.call<{ metadata: { name: string } }>({ method: 'GET', path: `${PODS}/one`, signal: soon() });
    await get();
    let closed = 0;
    // As if it had closed the connection before it read the request.
    cluster.intercept = (request) => (closed++ === 0 ? (request.socket.destroy(), true) : false);
    expect((await get()).metadata.name).toBe('one');
    expect(closed).toBe(2);
  });

  it('gives up at the signal', async () => {
    cluster.intercept = () => true;
    await expect(server.call({ method: 'GET', path: PODS, signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'ABORT_ERR' });
  });

  it('throws when a watch breaks', async () => {
    const events = server.watch(PODS, 'x=y', '1', soon());
    const next = events.next();
    while (cluster.watching === 0) await sleep(5);
    cluster.expireWatches();
    await expect(next).rejects.toMatchObject({ status: 410, reason: 'Expired' });
  });
});

describe('refusal', () => {
  it('reads a Status, plain text and the time to wait', () => {
    const status = JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'exceeded quota' });
    expect(refusal({ statusCode: 403, headers: {} }, status)).toMatchObject({
      status: 403,
      reason: 'Forbidden',
      message: 'exceeded quota',
    });
    expect(refusal({ statusCode: 502, headers: {} }, 'bad gateway')).toMatchObject({
      status: 502,
      message: 'bad gateway',
      retryAfter: null,
    });
    expect(refusal({ statusCode: 429, headers: { 'retry-after': '3' } }, '{}')).toMatchObject({ status: 429, retryAfter: 3 });
  });
});
