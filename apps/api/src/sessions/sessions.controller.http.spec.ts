import { ErrorCode, SandboxError } from '@sandbox/errors';
import { type User, userFromApiKey } from '@sandbox/sessions';
import { refusedFields } from '../../../../test/support/refused-fields';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const INFO = {
  session_id: 'a/b 😀',
  container_id: '0123456789ab',
  created_at: '2025-01-01T00:00:00.000Z',
  last_used_at: '2025-01-01T00:00:00.000Z',
  expires_at: '2025-01-01T00:10:00.000Z',
  image: 'python:3.12-slim',
  memory: '256m',
  cpus: 0.5,
  pids: 128,
  persistent: false,
  disk: null,
  ttl_seconds: 600,
  metadata: { team: 'blue' },
  network: { allow: [] },
};

const OPTIONS = {
  image: 'python:3.12-slim',
  memory: '200m',
  cpus: 0.25,
  pids: 64,
  ttl_seconds: 60,
  persistent: true,
  disk: '2g',
  env: { GREETING: 'hello' },
  metadata: { team: 'blue', 'a.b-c_d': '' },
  network: { allow: ['pypi.org', '*.example.com:22'] },
};

const MADE = { container_id: '0123456789ab', session_created: true, session_restarted: false };

describe('the session API', () => {
  let app: TestApp;
  const alice = expect.objectContaining({ ...userFromApiKey(API_KEY) }) as User;
  const sessions = {
    createSession: jest.fn(async (_user, session_id: string) => ({ session_id, ...MADE })),
    listSessions: jest.fn(async () => [INFO]),
    getSession: jest.fn(async (_user, id: string) => {
      if (id !== INFO.session_id) throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
      return INFO;
    }),
    updateSession: jest.fn(async () => INFO),
    deleteSession: jest.fn(async (_user, session_id: string) => ({ status: 'deleted' as const, session_id })),
  };

  beforeAll(async () => {
    app = await TestApp.start({ sessions });
  });
  beforeEach(() => jest.clearAllMocks());
  afterAll(() => app.stop());

  it('answers 200 when it creates a session', async () => {
    const response = await app.json('POST', '/sessions', { session_id: 'a/b 😀' });
    expect([response.status, await response.json()]).toEqual([200, { session_id: 'a/b 😀', ...MADE }]);
    expect(sessions.createSession).toHaveBeenCalledWith(alice, 'a/b 😀', {}, expect.any(AbortSignal));
  });

  it('passes options on when it creates a session', async () => {
    expect((await app.json('POST', '/sessions', { session_id: 'x', ...OPTIONS })).status).toBe(200);
    expect(sessions.createSession).toHaveBeenCalledWith(alice, 'x', OPTIONS, expect.any(AbortSignal));
  });

  it.each([
    { image: '' },
    { memory: 512 },
    { memory: '512q' },
    { cpus: '1' },
    { cpus: 0.12345 },
    { pids: 1.5 },
    { pids: 15 },
    { ttl_seconds: 0 },
    { ttl_seconds: '60' },
    { persistent: 'yes' },
    { disk: 2 },
    { disk: '2 GB' },
    { env: { '1': 'x' } },
    { metadata: [] },
    { network: ['pypi.org'] },
    { network: {} },
    { network: { allow: 'pypi.org' } },
    { network: { allow: [7] } },
    { network: { allow: [''] } },
    { network: { allow: [], deny: [] } },
    { network: { allow: Array.from({ length: 257 }, (_, at) => `n${at}.org`) } },
    { metadata: { '': 'x' } },
    { metadata: { 'a b': 'x' } },
    { metadata: { __proto__: 1, a: 1 } },
    { metadata: { a: 'x'.repeat(257) } },
    { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`n${i}`, 'x'])) },
    { cpu: 1 },
  ])('answers 422 when the options are %j', async (options) => {
    expect(await refusedFields(await app.json('POST', '/sessions', { session_id: 'x', ...options }))).toEqual(Object.keys(options));
    expect(sessions.createSession).not.toHaveBeenCalled();
  });

  it('passes settings on when it changes a session', async () => {
    const settings = { ttl_seconds: 60, metadata: { team: 'red' } };
    const response = await app.json('PATCH', '/sessions/a%2Fb', settings);
    expect([response.status, await response.json()]).toEqual([200, INFO]);
    expect(sessions.updateSession).toHaveBeenCalledWith(alice, 'a/b', settings);
    expect(await refusedFields(await app.json('PATCH', '/sessions/a', { memory: '512m' }))).toEqual(['memory']);
    expect(await refusedFields(await app.json('PATCH', '/sessions/a?ttl_seconds=5', {}))).toEqual(['ttl_seconds']);
  });

  it.each([
    [{}, 'session_id'],
    [{ session_id: '' }, 'session_id'],
    [{ session_id: 1 }, 'session_id'],
    [{ session_id: 'x', ttl: 5 }, 'ttl'],
  ])('answers 422 when the body is %j', async (body, field) => {
    expect(await refusedFields(await app.json('POST', '/sessions', body))).toEqual([field]);
    expect(sessions.createSession).not.toHaveBeenCalled();
  });

  it('lists sessions when there is no filter', async () => {
    expect(await (await app.fetch('/sessions')).json()).toEqual({ sessions: [INFO] });
    expect(sessions.listSessions).toHaveBeenCalledWith(alice, []);
    expect(await refusedFields(await app.fetch('/sessions?limit=5'))).toEqual(['limit']);
  });

  it('lists the matching sessions when the query has metadata', async () => {
    expect((await app.fetch('/sessions?metadata=team%3Dblue&metadata=a%3Db%3Dc')).status).toBe(200);
    const pairs = [
      ['team', 'blue'],
      ['a', 'b=c'],
    ];
    expect(sessions.listSessions).toHaveBeenCalledWith(alice, pairs);
    for (const filter of ['metadata=team', 'metadata=%3Dx', 'metadata=a%20b%3Dx']) {
      expect(await refusedFields(await app.fetch(`/sessions?${filter}`))).toEqual(['metadata']);
    }
  });

  it('answers 404 when there is no such session', async () => {
    expect(await (await app.fetch('/sessions/a%2Fb%20%F0%9F%98%80')).json()).toEqual(INFO);
    const absent = await app.fetch('/sessions/other');
    expect([absent.status, await absent.json()]).toEqual([404, expect.objectContaining({ code: 'SESSION_NOT_FOUND' })]);
  });

  it('answers 200 when it deletes a session', async () => {
    const response = await app.fetch('/sessions/a%2Fb%20%F0%9F%98%80', { method: 'DELETE' });
    expect([response.status, await response.json()]).toEqual([200, { status: 'deleted', session_id: 'a/b 😀' }]);
    expect(await refusedFields(await app.fetch(`/sessions/${'x'.repeat(257)}`, { method: 'DELETE' }))).toEqual(['session_id']);
  });
});
