import { API_KEY, TestApp } from '../../../../test/support/test-app';

const wrong = { 'X-API-Key': 'wrong' };

describe('AuthGuard', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await TestApp.start({ sessions: { listSessions: async () => [] } });
  });
  afterEach(() => app.stop());

  /** Makes a request without Alice's key. */
  const get = (headers: Record<string, string> = {}): Promise<Response> => fetch(`${app.url}/sessions`, { headers });

  it('answers in one way when anything is wrong with a credential', async () => {
    const bodies = new Set<string>();
    for (const headers of [
      {},
      wrong,
      { Authorization: 'Bearer x' },
      { Authorization: 'Basic x' },
      { ...wrong, Authorization: 'Bearer x' },
    ]) {
      const response = await get(headers as Record<string, string>);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="sandbox-api", ApiKey realm="sandbox-api", header="X-API-Key"');
      const { request_id: _id, ...body } = (await response.json()) as Record<string, unknown>;
      bodies.add(JSON.stringify(body));
    }
    expect(bodies.size).toBe(1);
  });

  it('reads nothing of the body when a request has no credential', async () => {
    const response = await fetch(`${app.url}/execute`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{' });
    expect(response.status).toBe(401);
  });

  it('limits an address when it sends wrong credentials, and lets good ones pass', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 62; i++) statuses.push((await get(wrong)).status);
    expect(statuses.slice(0, 60).every((status) => status === 401)).toBe(true);
    expect(statuses.slice(60)).toEqual([429, 429]);
    const refused = await get({ Authorization: 'Bearer x', 'X-Forwarded-For': '192.0.2.1' });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ code: 'RATE_LIMITED' });
    expect((await get({ 'X-API-Key': API_KEY })).status).toBe(200);
    // A request without a credential is no attempt to guess one.
    expect((await get()).status).toBe(401);
  });

  it('logs no credential when a request is refused', async () => {
    await get({ 'X-API-Key': 'secret-that-is-wrong', Authorization: 'Bearer secret-token', Cookie: 'secret-cookie' });
    await fetch(`${app.url}/sessions?key=secret-in-query`, { headers: { 'X-API-Key': API_KEY } });
    expect(app.log.some((line) => line.includes('"statusCode":401'))).toBe(true);
    expect(app.log.some((line) => line.includes('"statusCode":422'))).toBe(true);
    expect(app.log.join('')).not.toMatch(/secret-/);
    expect(app.log.join('')).not.toContain(API_KEY);
  });
});
