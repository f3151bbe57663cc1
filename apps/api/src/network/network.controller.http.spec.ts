import { ErrorCode, SandboxError } from '@sandbox/errors';
import { type User, userFromApiKey } from '@sandbox/sessions';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const alice = expect.objectContaining({ ...userFromApiKey(API_KEY) }) as User;
const INFO = {
  session_id: 's',
  allow: ['pypi.org'],
  is_default: false,
  bytes: 3,
  max_bytes: null,
  connections: [
    { host: 'pypi.org', port: 443, opened_at: '2025-01-01T12:00:00.000Z', ended_at: null, end: null, bytes_in: 0, bytes_out: 0 },
  ],
  denials: [{ host: 'a.org', port: null, reason: 'name_not_allowed' as const, rule: 'a.org', at: '2025-01-01T12:00:00.000Z' }],
};

describe('The network of a session', () => {
  let app: TestApp;
  const network = {
    getNetwork: jest.fn(async (_user, id: string) => {
      if (id !== 's') throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
      return INFO;
    }),
    setNetwork: jest.fn(async () => INFO),
    checkTarget: jest.fn(async () => ({ allowed: false, reason: 'name_not_allowed', rule: 'a.org' })),
  };

  beforeAll(async () => {
    app = await TestApp.start({ network });
  });
  beforeEach(() => jest.clearAllMocks());
  afterAll(() => app.stop());

  it('is answered when the session lives', async () => {
    const response = await app.json('GET', '/sessions/s/network', undefined);
    expect([response.status, await response.json()]).toEqual([200, INFO]);
    expect((await app.json('GET', '/sessions/other/network', undefined)).status).toBe(404);
  });

  it('is changed when the body has a list of rules', async () => {
    const response = await app.json('PUT', '/sessions/a%2Fb/network', { allow: ['pypi.org'] });
    expect([response.status, await response.json()]).toEqual([200, INFO]);
    expect(network.setNetwork).toHaveBeenCalledWith(alice, 'a/b', { allow: ['pypi.org'] });
  });

  it.each([[{}], [{ allow: 'pypi.org' }], [{ allow: [null] }], [{ allow: ['a\0'] }], [{ allow: [], deny: [] }], [[]]])(
    'is not changed when the body is %j',
    async (body) => {
      const response = await app.json('PUT', '/sessions/s/network', body);
      expect([400, 422]).toContain(response.status);
      expect(network.setNetwork).not.toHaveBeenCalled();
    },
  );

  it('says what would happen when a server is asked for', async () => {
    const response = await app.json('POST', '/network/check', { session_id: 's', host: 'a.org', port: 443 });
    expect([response.status, await response.json()]).toEqual([200, { allowed: false, reason: 'name_not_allowed', rule: 'a.org' }]);
    expect(network.checkTarget).toHaveBeenCalledWith(alice, 'a.org', 443, 's');
  });

  it.each([[{ host: 'a.org' }], [{ host: 'a.org', port: 0 }], [{ host: 'a.org', port: '443' }], [{ host: '', port: 443 }]])(
    'says nothing when the question is %j',
    async (body) => {
      expect((await app.json('POST', '/network/check', body)).status).toBe(422);
    },
  );
});
