import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { loadAll } from 'js-yaml';
import { ApiServer } from './api-server';
import { NEEDED, Permissions } from './permissions';
import { FakeCluster } from './testing/fake-cluster';

let cluster: FakeCluster;
/** What the API server does not allow, as `create pods/exec`. */
let denied: Set<string>;
let reviews = 0;
const soon = (): AbortSignal => AbortSignal.timeout(20_000);

beforeEach(async () => {
  cluster = await FakeCluster.begin();
  denied = new Set();
  reviews = 0;
  cluster.intercept = (request, response) => {
    if (!request.url!.endsWith('/selfsubjectaccessreviews')) return false;
    reviews += 1;
    void buffer(request).then((body) => {
      const { resourceAttributes: asked } = (JSON.parse(body.toString()) as { spec: { resourceAttributes: Record<string, string> } }).spec;
      const name = `${asked.verb} ${asked.resource}${asked.subresource === undefined ? '' : `/${asked.subresource}`}`;
      response.writeHead(201).end(JSON.stringify({ status: { allowed: asked.namespace === 'boxes' && !denied.has(name) } }));
    });
    return true;
  };
});
afterEach(() => cluster.end());

describe('Permissions', () => {
  it('asks for what the Role of deploy/kubernetes allows', () => {
    const manifest = readFileSync(join(__dirname, '../../../../../deploy/kubernetes/sandboxes.yaml'), 'utf8');
    const role = loadAll(manifest).find((each) => (each as { kind: string }).kind === 'Role') as {
      rules: { apiGroups: [string]; resources: [string]; verbs: string[] }[];
    };
    expect(role.rules.map(({ apiGroups: [group], resources: [resource], verbs }) => ({ group, resource, verbs }))).toEqual(NEEDED);
  });

  it('asks once when everything is allowed', async () => {
    const permissions = new Permissions(new ApiServer(cluster.access));
    await Promise.all([permissions.require(soon()), permissions.require(soon())]);
    const asked = reviews;
    await permissions.require(soon());
    expect(reviews).toBe(asked);
  });

  it('names what is missing', async () => {
    denied = new Set(['create pods/exec', 'patch leases']);
    const permissions = new Permissions(new ApiServer(cluster.access));
    await expect(permissions.require(soon())).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
      message: expect.stringMatching(/service: create pods\/exec, patch leases\. /),
    });
  });

  it('asks again a while later when something was missing', async () => {
    denied = new Set(['get pods']);
    const permissions = new Permissions(new ApiServer(cluster.access));
    const clock = jest.spyOn(performance, 'now');
    await expect(permissions.require(soon())).rejects.toThrow('get pods');
    denied.clear();
    await expect(permissions.require(soon())).rejects.toThrow('get pods');
    clock.mockReturnValue(performance.now() + 6_000);
    await permissions.require(soon());
    clock.mockRestore();
  });

  it('asks again when the API server did not answer', async () => {
    const { intercept } = cluster;
    cluster.intercept = (request, response) => {
      response.writeHead(500).end('{}');
      return request.method === 'POST';
    };
    const permissions = new Permissions(new ApiServer(cluster.access));
    await expect(permissions.require(soon())).rejects.toMatchObject({ status: 500 });
    cluster.intercept = intercept;
    await permissions.require(soon());
  });
});
