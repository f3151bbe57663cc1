import type { CommandsService, ExecuteResult } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { TestApp, API_KEY } from '../../../../test/support/test-app';

const BOB = 'key-of-bob-0123456789';

const CALL = { name: 'execute', arguments: { session_id: 's', command: 'true' } };
const MCP_HEADERS = { Accept: 'application/json, text/event-stream' };

/** A service that does what it is to do before the call has entered its session: nothing. */
const entered: User[] = [];
const commands: Partial<CommandsService> = {
  execute: async (user) => {
    await user.allowance?.granted;
    entered.push(user);
    return { exit_code: 0 } as ExecuteResult;
  },
};

/** Enters no session. */
const deleteSession = jest.fn(async () => ({ session_id: 's', status: 'deleted' as const }));

describe('RateLimitGuard', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await TestApp.start(
      {
        commands,
        sessions: { listSessions: async () => [], deleteSession },
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

  it('refuses a call before it enters its session when the budget is used up', async () => {
    const command = { session_id: 's', command: 'true' };
    for (let i = 0; i < 3; i++) expect((await app.json('POST', '/execute', command)).status).toBe(200);
    // The count was on its way when the call began.
    expect(entered.splice(0).map(({ allowance }) => allowance?.settled)).toEqual([true, true, true]);
    for (const body of [command, {}]) {
      const refused = await app.json('POST', '/execute', body);
      expect([refused.status, refused.headers.get('ratelimit-remaining')]).toEqual([429, '0']);
      expect(await refused.json()).toMatchObject({ code: 'RATE_LIMITED' });
    }
    for (const [method, params] of [
      ['tools/call', CALL],
      ['tools/call', { name: 'execute', arguments: {} }],
      ['tools/call', { name: 'delete_session', arguments: { session_id: 's' } }],
      ['tools/list', {}],
      ['none', {}],
    ]) {
      const refused = await app.json('POST', '/mcp', { jsonrpc: '2.0', id: 1, method, params }, MCP_HEADERS);
      expect([method, refused.status, refused.headers.get('content-type')]).toEqual([method, 429, 'application/problem+json']);
      expect(refused.headers.get('retry-after')).toBe(refused.headers.get('ratelimit-reset'));
    }
    const unknown = { ...MCP_HEADERS, 'MCP-Protocol-Version': '1999-01-01' };
    expect((await app.json('POST', '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: CALL }, unknown)).status).toBe(429);
    expect(entered).toEqual([]);
    expect(deleteSession).not.toHaveBeenCalled();
  });

  it('reads no long body before it has counted the request', async () => {
    const command = { session_id: 's', command: 'true', stdin: 'x'.repeat(65 * 1024) };
    for (const [body, early] of [
      [{ ...command, stdin: '' }, true],
      [command, false],
    ] as const) {
      const answer = await app.json('POST', '/execute', body);
      expect([answer.status, answer.headers.get('ratelimit-limit')]).toEqual([200, '3']);
      expect(entered.pop()?.allowance !== undefined).toBe(early);
    }
  });

  it('counts nothing when the route is health, readiness or docs', async () => {
    for (const path of ['/health', '/ready', '/docs', '/openapi.json', '/health', '/ready']) {
      const response = await app.fetch(path);
      expect([path, response.status, response.headers.get('ratelimit-limit')]).toEqual([path, 200, null]);
      await response.arrayBuffer();
    }
  });
});
