import { ApiServer, type Call, refusal } from './api-server';
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

  it('refuses to begin when a key cannot be read, and does not quote it', () => {
    const begin = () => new ApiServer({ ...cluster.access, tls: { key: 'hunter2' } });
    expect(begin).toThrow(/must be PEM/);
    expect(begin).not.toThrow(/hunter2/);
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
    const events = await server.watch(PODS, 'x=y', '1', soon());
    const next = events.next();
    cluster.expireWatches();
    await expect(next).rejects.toMatchObject({ status: 410, reason: 'Expired' });
  });

  it('tells of each request by its kind and its outcome, and names no object', async () => {
    const told: string[] = [];
    server.calls.onCall(({ verb, resource, status, seconds }) => told.push(`${verb} ${resource} ${status} ${seconds >= 0}`));
    const ask = (method: Call['method'], path: string, signal = soon()) =>
      server.call({ method, path, ...(method === 'POST' && { body: { metadata: { name: 'one' } } }), signal }).catch(() => undefined);
    await ask('POST', PODS);
    await ask('GET', `${PODS}/one`);
    await ask('PATCH', `${PODS}/one`);
    await ask('DELETE', `${PODS}/none`);
    await server.list('/apis/coordination.k8s.io/v1/namespaces/pods/leases', '', soon());
    await server.watch(PODS, '', '1', soon());
    for (const status of [429, 503]) {
      cluster.intercept = (_, response) => (response.writeHead(status).end('{}'), true);
      await ask('GET', '/readyz');
    }
    cluster.intercept = () => true;
    await ask('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', AbortSignal.timeout(50));
    expect(told).toEqual([
      'create pods 2xx true',
      'get pods 2xx true',
      'patch pods 2xx true',
      'delete pods 4xx true',
      'list leases 2xx true',
      'watch pods 2xx true',
      'get readyz 429 true',
      'get readyz 5xx true',
      'create selfsubjectaccessreviews none true',
    ]);
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
