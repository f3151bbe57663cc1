import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SandboxUsage, SessionInfo } from '@sandbox/orchestrator';
import { type User, userFromApiKey } from '@sandbox/sessions';
import { API_KEY, TestApp } from '../../../../../test/support/test-app';

const alice = expect.objectContaining({ ...userFromApiKey(API_KEY) }) as User;
const ID = '0123456789abcdef0123456789abcdef';

function session(more: Partial<SessionInfo> = {}): SessionInfo {
  return {
    session_id: ID,
    container_id: '0123456789ab',
    created_at: '2025-01-01T00:00:00.000Z',
    last_used_at: '2025-01-01T00:00:00.000Z',
    expires_at: '2025-01-01T00:05:00.000Z',
    image: 'python:3.12-slim',
    memory: '256m',
    cpus: 0.5,
    pids: 128,
    persistent: false,
    disk: null,
    ttl_seconds: 300,
    metadata: { team: 'blue' },
    network: { allow: ['pypi.org'] },
    ...more,
  };
}

describe('E2B’s control plane', () => {
  let app: TestApp;
  const sessions = {
    createSession: jest.fn(async (_user, session_id: string) => ({
      session_id,
      container_id: '0123456789ab',
      session_created: true,
      session_restarted: false,
    })),
    listSessions: jest.fn(async () => [session()]),
    getSession: jest.fn(async (_user, id: string) => {
      if (id !== ID) throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
      return session();
    }),
    updateSession: jest.fn(async (_user, id: string) => {
      if (id !== ID) throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
      return session();
    }),
    deleteSession: jest.fn(async (_user, session_id: string) => ({ status: 'deleted' as const, session_id })),
  };
  const network = { setNetwork: jest.fn() };
  const usage = { measureUsage: jest.fn<Promise<SandboxUsage>, [User, string, AbortSignal?]>() };
  const ports = { exposeAllPorts: jest.fn(), prolongAllPorts: jest.fn() };

  beforeAll(async () => {
    app = await TestApp.start(
      { sessions, usage, network, ports },
      { ALLOWED_IMAGES: 'node:22', EGRESS_ALLOW: 'packages', EGRESS_DEFAULT: 'pypi.org' },
    );
  });
  beforeEach(() => jest.clearAllMocks());
  afterAll(() => app.stop());

  const create = (body: object): Promise<Response> => app.json('POST', '/e2b/v2/sandboxes', { templateID: 'base', ...body });
  const optionsOf = (call = 0): unknown => sessions.createSession.mock.calls[call]![2 as never];

  describe('creating', () => {
    it.each(['/e2b/sandboxes', '/e2b/v2/sandboxes'])('makes a session with an id of its own at %s', async (path) => {
      const made = await app.json('POST', path, { templateID: 'base' });
      expect(made.status).toBe(201);
      const answer = (await made.json()) as Record<string, string>;
      expect(answer).toEqual({
        sandboxID: expect.stringMatching(/^[0-9a-f]{32}$/),
        templateID: 'base',
        clientID: 'sandbox-api',
        envdVersion: '0.6.4',
        envdAccessToken: expect.stringMatching(/^[\w-]+\.[\w-]+$/),
        domain: `localhost:${app.port}`,
      });
      expect(sessions.createSession).toHaveBeenCalledWith(alice, answer.sandboxID, {}, expect.any(AbortSignal));
      expect(ports.exposeAllPorts).toHaveBeenCalledWith(alice, answer.sandboxID, answer.sandboxID, 86_400);
    });

    it.each<[object, object]>([
      [
        { timeout: 60, metadata: { team: 'blue' }, envVars: { A: 'b' } },
        { ttl_seconds: 60, metadata: { team: 'blue' }, env: { A: 'b' } },
      ],
      [{ timeout: 0 }, { ttl_seconds: 1 }],
      [{ templateID: 'node:22' }, { image: 'node:22' }],
      [{ secure: true, allow_internet_access: true, autoPause: false, autoResume: { enabled: false }, volumeMounts: [] }, {}],
      [{ allow_internet_access: false }, { network: { allow: [] } }],
      [{ network: { denyOut: ['0.0.0.0/0'] } }, { network: { allow: [] } }],
      [{ network: { allowOut: ['pypi.org'], denyOut: ['0.0.0.0/0'] } }, { network: { allow: ['pypi.org'] } }],
      [{ network: { allowOut: ['0.0.0.0/0'], allowPublicTraffic: true, egressProxy: null } }, { network: { allow: ['*'] } }],
    ])('translates %j', async (body, options) => {
      expect((await create(body)).status).toBe(201);
      expect(optionsOf()).toEqual(options);
    });

    it.each<[object, number, string]>([
      [{ templateID: undefined }, 400, 'templateID'],
      [{ templateID: 'code-interpreter-v1' }, 404, 'no such template'],
      [{ timeout: -1 }, 400, 'timeout'],
      [{ timeout: '60' }, 400, 'timeout'],
      [{ metadata: { 'a b': 'c' } }, 400, 'metadata'],
      [{ envVars: { '1': 'x' } }, 400, 'envVars'],
      [{ unknown: 1 }, 400, 'unknown'],
      [{ network: [] }, 400, 'object'],
      [{ network: { allowOut: 'pypi.org' } }, 400, 'allowOut'],
      [{ network: { allow: [] } }, 400, 'allow'],
      [{ network: { denyOut: ['8.8.8.8/32'] } }, 501, 'denyOut'],
      [{ network: { allowPublicTraffic: false } }, 501, 'allowPublicTraffic'],
      [{ network: { rules: {} } }, 501, 'rules'],
      [{ network: { egressProxy: { address: 'x:1' } } }, 501, 'egressProxy'],
      [{ autoPause: true }, 501, 'autoPause'],
      [{ autoResume: { enabled: true } }, 501, 'autoResume'],
      [{ mcp: {} }, 501, 'mcp'],
      [{ iam: { tokens: {} } }, 501, 'iam'],
      [{ volumeMounts: [{ name: 'v', path: '/v' }] }, 501, 'volumeMounts'],
    ])('refuses %j with %i', async (body, status, word) => {
      const refused = await create(body);
      expect([refused.status, await refused.json()]).toEqual([status, { code: status, message: expect.stringContaining(word) }]);
      expect(sessions.createSession).not.toHaveBeenCalled();
    });

    it('tells what is wrong with each option', async () => {
      const errors = [{ field: 'network.allow', message: 'network.allow has "x.org", which the operator does not offer' }];
      sessions.createSession.mockRejectedValueOnce(new SandboxError(ErrorCode.VALIDATION_FAILED, 'Not allowed.', { errors }));
      const refused = await create({});
      expect(await refused.json()).toEqual({ code: 400, message: `Not allowed. ${errors[0]!.message}` });
    });

    it('answers the limits of the service in E2B’s form', async () => {
      const full = new SandboxError(ErrorCode.TOO_MANY_SESSIONS, 'You have 20 sessions.', { retryAfter: 7 });
      sessions.createSession.mockRejectedValueOnce(full);
      const refused = await create({});
      expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
        429,
        '7',
        { code: 429, message: 'You have 20 sessions.' },
      ]);
    });
  });

  describe('metrics', () => {
    const measured: SandboxUsage = { cpus: 0.25, memory: { used: 1000, cache: 20 }, disk: { free: 100, size: 300 } };
    beforeEach(() => usage.measureUsage.mockResolvedValue(measured));
    const metrics = async (query = ''): Promise<[number, unknown]> => {
      const response = await app.fetch(`/e2b/sandboxes/${ID}/metrics${query}`);
      return [response.status, await response.json()];
    };
    const MIB = 1024 ** 2;

    it('tells what the sandbox uses now', async () => {
      expect(await metrics()).toEqual([
        200,
        [
          {
            timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
            timestampUnix: expect.any(Number),
            cpuCount: 1,
            cpuUsedPct: 50,
            memUsed: 1000,
            memTotal: 256 * MIB,
            memCache: 20,
            diskUsed: 200,
            diskTotal: 300,
          },
        ],
      ]);
      expect(usage.measureUsage).toHaveBeenCalledWith(alice, ID, expect.any(AbortSignal));
    });

    it('takes the size of the disk from the session when a limit bounds it', async () => {
      sessions.getSession.mockResolvedValueOnce(session({ disk: '10m' }));
      usage.measureUsage.mockResolvedValue({ ...measured, disk: { free: 4 * MIB, size: null } });
      expect(await metrics()).toMatchObject([200, [{ diskUsed: 6 * MIB, diskTotal: 10 * MIB }]]);
    });

    it('has none of before or after now', async () => {
      const now = Math.floor(Date.now() / 1000);
      expect(await metrics(`?start=${now - 60}&end=${now + 600}`)).toMatchObject([200, [{ cpuCount: 1 }]]);
      expect(await metrics(`?end=${now - 60}`)).toEqual([200, []]);
      expect(await metrics(`?start=${now + 600}`)).toEqual([200, []]);
      expect((await metrics('?start=yesterday'))[0]).toBe(400);
    });

    it('is not supported when the runtime tells nothing', async () => {
      usage.measureUsage.mockResolvedValue({ ...measured, memory: null });
      expect(await metrics()).toEqual([501, { code: 501, message: expect.stringContaining('not supported by this server') }]);
    });

    it('knows no sandbox that is not there', async () => {
      expect((await app.fetch('/e2b/sandboxes/other/metrics')).status).toBe(404);
    });
  });

  it('answers 401 in E2B’s form when there is no credential', async () => {
    const refused = await fetch(`${app.url}/e2b/v2/sandboxes`);
    expect([refused.status, await refused.json()]).toEqual([401, { code: 401, message: 'A valid credential is needed.' }]);
  });

  const listed = {
    sandboxID: ID,
    templateID: 'base',
    clientID: 'sandbox-api',
    startedAt: '2025-01-01T00:00:00.000Z',
    endAt: '2025-01-01T00:05:00.000Z',
    cpuCount: 1,
    memoryMB: 256,
    diskSizeMB: 128,
    metadata: { team: 'blue' },
    state: 'running',
    envdVersion: '0.6.4',
  };

  it('tells of a sandbox', async () => {
    const found = await app.fetch(`/e2b/sandboxes/${ID}`);
    expect([found.status, await found.json()]).toEqual([
      200,
      {
        ...listed,
        envdAccessToken: expect.any(String),
        domain: `localhost:${app.port}`,
        network: { allowOut: ['pypi.org'], denyOut: ['0.0.0.0/0'] },
        lifecycle: { onTimeout: 'kill', autoResume: false },
      },
    ]);
  });

  describe('listing', () => {
    const list = async (query = ''): Promise<{ ids: string[]; next: string | null }> => {
      const response = await app.fetch(`/e2b/v2/sandboxes${query}`);
      expect(response.status).toBe(200);
      const found = (await response.json()) as { sandboxID: string }[];
      return { ids: found.map(({ sandboxID }) => sandboxID), next: response.headers.get('x-next-token') };
    };
    const three = [1, 2, 2].map((second, at) => session({ session_id: `s${at}`, created_at: `2025-01-01T00:00:0${second}.000Z` }));

    it('answers sandboxes, and no token when these are all', async () => {
      const response = await app.fetch('/e2b/v2/sandboxes');
      expect([await response.json(), response.headers.get('x-next-token')]).toEqual([[listed], null]);
      expect(sessions.listSessions).toHaveBeenCalledWith(alice, []);
    });

    it('reads metadata that is encoded twice', async () => {
      const pairs = new URLSearchParams({ 'a%20b': 'c%3Dd', e: '%E2%82%AC' }).toString();
      await list(`?metadata=${encodeURIComponent(pairs)}`);
      expect(sessions.listSessions).toHaveBeenCalledWith(alice, [
        ['a b', 'c=d'],
        ['e', '€'],
      ]);
      expect((await app.fetch('/e2b/v2/sandboxes?metadata=a%3D%2525')).status).toBe(400);
    });

    it('gives pages in the order that is asked for', async () => {
      sessions.listSessions.mockResolvedValue(three);
      expect(await list('?order=asc')).toEqual({ ids: ['s0', 's1', 's2'], next: null });
      for (const [order, ids] of [
        ['asc', ['s0', 's1', 's2']],
        ['desc', ['s2', 's1', 's0']],
      ] as const) {
        let token = '';
        for (const id of ids) {
          const page = await list(`?order=${order}&limit=1${token}`);
          expect(page.ids).toEqual([id]);
          expect(page.next === null).toBe(id === ids.at(-1));
          token = `&nextToken=${page.next}`;
        }
      }
    });

    it('filters by state, template and time', async () => {
      sessions.listSessions.mockResolvedValue(three);
      expect((await list('?state=paused')).ids).toEqual([]);
      expect((await list('?state=running%2Cpaused')).ids).toEqual(['s2', 's1', 's0']);
      expect((await list('?template=node:22')).ids).toEqual([]);
      expect((await list('?startedAfter=2025-01-01T00:00:01.000Z')).ids).toEqual(['s2', 's1']);
    });

    it.each(['limit=0', 'order=up', 'nextToken=x', 'startedAfter=never', 'unknown=1', 'limit=1&limit=2'])(
      'answers 400 for %s',
      async (query) => {
        expect((await app.fetch(`/e2b/v2/sandboxes?${query}`)).status).toBe(400);
      },
    );
  });

  it('kills a sandbox once', async () => {
    const killed = await app.fetch(`/e2b/sandboxes/${ID}`, { method: 'DELETE' });
    expect([killed.status, await killed.text()]).toEqual([204, '']);
    expect(sessions.deleteSession).toHaveBeenCalledWith(alice, ID);
    const again = await app.fetch('/e2b/sandboxes/other', { method: 'DELETE' });
    expect([again.status, await again.json()]).toEqual([404, { code: 404, message: 'There is no such session.' }]);
    expect(sessions.deleteSession).toHaveBeenCalledTimes(1);
  });

  it('connects to a sandbox, and never shortens its life', async () => {
    const made = (await (await app.json('POST', `/e2b/v2/sandboxes/${ID}/connect`, { timeout: 299 })).json()) as object;
    expect(made).toMatchObject({ sandboxID: ID, templateID: 'base', envdAccessToken: expect.any(String) });
    expect(sessions.updateSession).toHaveBeenLastCalledWith(alice, ID, {});
    expect((await app.json('POST', `/e2b/sandboxes/${ID}/connect`, { timeout: 301, memory: false })).status).toBe(200);
    expect(sessions.updateSession).toHaveBeenLastCalledWith(alice, ID, { ttl_seconds: 301 });
    expect(ports.prolongAllPorts).toHaveBeenCalledWith(alice, ID, ID, 86_400);
    expect(ports.exposeAllPorts).not.toHaveBeenCalled();
    expect((await app.json('POST', '/e2b/v2/sandboxes/other/connect', {})).status).toBe(404);
  });

  it('sets the timeout', async () => {
    expect((await app.json('POST', `/e2b/sandboxes/${ID}/timeout`, { timeout: 90 })).status).toBe(204);
    expect(sessions.updateSession).toHaveBeenLastCalledWith(alice, ID, { ttl_seconds: 90 });
    expect((await app.json('POST', `/e2b/sandboxes/${ID}/timeout`, {})).status).toBe(400);
    expect((await app.json('POST', '/e2b/sandboxes/other/timeout', { timeout: 1 })).status).toBe(404);
  });

  it.each<[object, string[]]>([
    [{}, ['pypi.org']],
    [{ allow_internet_access: false }, []],
    [{ allowOut: ['files.pythonhosted.org'], denyOut: ['0.0.0.0/0'] }, ['files.pythonhosted.org']],
  ])('changes the network to %j', async (body, allow) => {
    expect((await app.json('PUT', `/e2b/sandboxes/${ID}/network`, body)).status).toBe(204);
    expect(network.setNetwork).toHaveBeenCalledWith(alice, ID, { allow });
  });

  it.each([
    ['POST', `/sandboxes/${ID}/pause`, 'Pausing'],
    ['POST', `/sandboxes/${ID}/resume`, 'Pausing'],
    ['POST', `/sandboxes/${ID}/snapshots`, 'snapshots'],
    ['GET', '/snapshots', 'snapshots'],
    ['POST', `/sandboxes/${ID}/fork`, 'Forking'],
    ['POST', '/v3/templates', 'templates'],
    ['DELETE', '/templates/x', 'templates'],
    ['GET', '/volumes', 'volumes'],
    ['POST', '/secrets', 'secrets'],
    ['GET', '/teams', 'teams'],
    ['GET', '/anything', 'This call'],
  ])('says that %s %s is not supported', async (method, path, word) => {
    const refused = await app.fetch(`/e2b${path}`, { method, ...(method === 'POST' && { body: 'no json' }) });
    const message = expect.stringMatching(new RegExp(`${word}.* is not supported by this server\\.$`));
    expect([refused.status, await refused.json()]).toEqual([501, { code: 501, message }]);
  });

  describe('a sandbox’s token', () => {
    const health = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${app.url}/e2b/sandbox/health`, { headers })).status;
    const tokenOf = async (id: string): Promise<string> => {
      const answer = (await (await app.json('POST', `/e2b/sandboxes/${id}/connect`, {})).json()) as { envdAccessToken: string };
      return answer.envdAccessToken;
    };

    it('lets its calls in, without the API key', async () => {
      expect(await health({ 'E2b-Sandbox-Id': ID, 'X-Access-Token': await tokenOf(ID) })).toBe(204);
      expect(sessions.getSession).toHaveBeenLastCalledWith(alice, ID);
    });

    it('names its sandbox, and is worth nothing for another one, for another route, or damaged', async () => {
      const token = await tokenOf(ID);
      expect(await health({ 'E2b-Sandbox-Id': 'other', 'X-Access-Token': token })).toBe(401);
      expect(await health({ 'X-Access-Token': token })).toBe(204);
      expect(await health({ 'E2b-Sandbox-Id': ID, 'X-Access-Token': token.slice(0, -2) })).toBe(401);
      expect(await health({ 'E2b-Sandbox-Id': ID, 'X-Access-Token': 'x', 'X-API-Key': API_KEY })).toBe(401);
      for (const path of [`/e2b/sandboxes/${ID}`, '/sessions']) {
        const { status } = await fetch(app.url + path, { headers: { 'E2b-Sandbox-Id': ID, 'X-Access-Token': token } });
        expect([path, status]).toEqual([path, 401]);
      }
    });

    it('is not needed beside the API key', async () => {
      expect(await health({ 'E2b-Sandbox-Id': ID, 'X-API-Key': API_KEY })).toBe(204);
      expect(await health({ 'X-API-Key': API_KEY })).toBe(400);
      expect(await health({ 'E2b-Sandbox-Id': ID })).toBe(401);
    });

    it('answers 502 when the sandbox is not there', async () => {
      expect(await health({ 'E2b-Sandbox-Id': 'other', 'X-API-Key': API_KEY })).toBe(502);
    });

    it('is refused to calls that are none, in the form of RPCs', async () => {
      const call = (headers: Record<string, string>): Promise<Response> =>
        fetch(`${app.url}/e2b/sandbox/process.Process/Nothing`, { method: 'POST', body: '{}', headers });
      const unary = await call({ 'Content-Type': 'application/json', 'E2b-Sandbox-Id': ID, 'X-API-Key': API_KEY });
      expect([unary.status, await unary.json()]).toEqual([
        501,
        { code: 'unimplemented', message: expect.stringContaining('not supported') },
      ]);
      const unknown = await call({ 'Content-Type': 'application/json' });
      expect([unknown.status, await unknown.json()]).toEqual([401, { code: 'unauthenticated', message: expect.any(String) }]);
      const stream = await call({ 'Content-Type': 'application/connect+json' });
      const body = Buffer.from(await stream.arrayBuffer());
      expect([stream.status, stream.headers.get('content-type'), body[0], body.readUInt32BE(1)]).toEqual([
        200,
        'application/connect+json',
        2,
        body.length - 5,
      ]);
      expect(JSON.parse(body.subarray(5).toString())).toEqual({ error: { code: 'unauthenticated', message: expect.any(String) } });
    });
  });
});
