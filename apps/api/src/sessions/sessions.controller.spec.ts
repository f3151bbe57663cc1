import { ErrorCode, SandboxError } from '@sandbox/errors';
import { userFromApiKey } from '@sandbox/sessions';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const INFO = {
  session_id: 'a/b 😀',
  container_id: '0123456789ab',
  created_at: '2025-01-01T00:00:00.000Z',
  last_used_at: '2025-01-01T00:00:00.000Z',
  expires_at: '2025-01-01T00:10:00.000Z',
  image: 'python:3.12-slim',
};

describe('Session routes', () => {
  let app: TestApp;
  const alice = userFromApiKey(API_KEY);
  const orchestrator = {
    createSession: jest.fn(async (_user, session_id: string) => ({ session_id, container_id: '0123456789ab' })),
    listSessions: jest.fn(async () => [INFO]),
    getSession: jest.fn(async (_user, id: string) => {
      if (id !== INFO.session_id) throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
      return INFO;
    }),
    deleteSession: jest.fn(async (_user, session_id: string) => ({ status: 'deleted' as const, session_id })),
  };

  beforeAll(async () => {
    app = await TestApp.start({ orchestrator });
  });
  beforeEach(() => jest.clearAllMocks());
  afterAll(() => app.stop());

  it('makes one, as 200', async () => {
    const response = await app.json('POST', '/sessions', { session_id: 'a/b 😀' });
    expect([response.status, await response.json()]).toEqual([200, { session_id: 'a/b 😀', container_id: '0123456789ab' }]);
    expect(orchestrator.createSession).toHaveBeenCalledWith(alice, 'a/b 😀');
  });

  it.each([{}, { session_id: '' }, { session_id: 1 }, { session_id: 'x', ttl: 5 }])('refuses %j', async (body) => {
    expect((await app.json('POST', '/sessions', body)).status).toBe(422);
    expect(orchestrator.createSession).not.toHaveBeenCalled();
  });

  it('lists them', async () => {
    expect(await (await app.fetch('/sessions')).json()).toEqual({ sessions: [INFO] });
    expect(orchestrator.listSessions).toHaveBeenCalledWith(alice);
    expect((await app.fetch('/sessions?limit=5')).status).toBe(422);
  });

  it('shows one, or 404', async () => {
    expect(await (await app.fetch('/sessions/a%2Fb%20%F0%9F%98%80')).json()).toEqual(INFO);
    const absent = await app.fetch('/sessions/other');
    expect([absent.status, await absent.json()]).toEqual([404, expect.objectContaining({ code: 'SESSION_NOT_FOUND' })]);
  });

  it('deletes one, as 200', async () => {
    const response = await app.fetch('/sessions/a%2Fb%20%F0%9F%98%80', { method: 'DELETE' });
    expect([response.status, await response.json()]).toEqual([200, { status: 'deleted', session_id: 'a/b 😀' }]);
    expect((await app.fetch(`/sessions/${'x'.repeat(257)}`, { method: 'DELETE' })).status).toBe(422);
  });
});
