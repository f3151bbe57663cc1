import { TestApp, API_KEY } from '../../../../test/support/test-app';

const BOB = 'key-of-bob-0123456789';

describe('RateLimitGuard', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await TestApp.start(
      {
        sessions: { listSessions: async () => [] },
        readiness: { checkReadiness: async () => ({ docker: 'ok', store: 'ok', image: 'ok' }) },
      },
      { API_KEYS: `${API_KEY},${BOB}`, RATE_LIMIT_REQUESTS: '3', RATE_LIMIT_WINDOW_SECONDS: '60' },
    );
  });
  afterEach(() => app.stop());

  it('gives each user one budget, and says what is left, when calls go to several routes', async () => {
    const first = await app.fetch('/sessions');
    expect([first.status, first.headers.get('ratelimit-limit'), first.headers.get('ratelimit-remaining')]).toEqual([200, '3', '2']);
    expect(Number(first.headers.get('ratelimit-reset'))).toBeGreaterThan(0);
    // A refused request counts too. Otherwise, trying out what is refused would be free.
    expect((await app.json('POST', '/execute', {})).status).toBe(422);
    const third = await app.json(
      'POST',
      '/mcp',
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { Accept: 'application/json, text/event-stream' },
    );
    expect([third.status, third.headers.get('ratelimit-remaining')]).toEqual([200, '0']);
    for (const path of ['/sessions', '/sessions/s/workspace']) {
      const refused = await app.fetch(path);
      expect([refused.status, refused.headers.get('ratelimit-remaining')]).toEqual([429, '0']);
      expect(refused.headers.get('retry-after')).toBe(refused.headers.get('ratelimit-reset'));
      expect(await refused.json()).toMatchObject({ code: 'RATE_LIMITED' });
    }
    expect((await app.fetch('/sessions', { headers: { 'X-API-Key': BOB } })).status).toBe(200);
  });

  it('counts nothing when the route is health, readiness or docs', async () => {
    for (const path of ['/health', '/ready', '/docs', '/openapi.json', '/health', '/ready']) {
      const response = await app.fetch(path);
      expect([path, response.status, response.headers.get('ratelimit-limit')]).toEqual([path, 200, null]);
      await response.arrayBuffer();
    }
  });
});
