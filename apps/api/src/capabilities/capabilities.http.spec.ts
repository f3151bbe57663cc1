import { API_KEY, TestApp } from '../../../../test/support/test-app';

const MCP_HEADERS = { Accept: 'application/json, text/event-stream' };

describe('GET /capabilities', () => {
  let app: TestApp;
  const probe = jest.fn(async () => ({ transport: 'direct' as const, programs: ['bash', 'ls', 'sh'] }));

  beforeAll(async () => {
    app = await TestApp.start(
      { images: { probe } },
      { RATE_LIMIT_REQUESTS: '10', RATE_LIMIT_WINDOW_SECONDS: '50', ALLOWED_IMAGES: 'other' },
    );
  });
  afterAll(() => app.stop());

  const get = async (query = ''): Promise<[number, Record<string, Record<string, unknown>>, string | null]> => {
    const response = await app.fetch(`/capabilities${query}`);
    return [response.status, (await response.json()) as never, response.headers.get('ratelimit-remaining')];
  };

  it('tells limits, programs, and what is left of the user’s requests', async () => {
    const [status, body, remaining] = await get();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      image: { programs: ['bash', 'ls', 'sh'], shells: ['auto', 'sh', 'bash'] },
      commands: { max_characters: 32_000, max_stdin_bytes: 1024 ** 2 },
      previews: { url_form: `http://{port}-{token}.localhost:${app.port}/` },
      requests: { limit: 10, window_seconds: 50, left: Number(remaining), max_json_bytes: 2 * 1024 ** 2 },
    });
    expect((await get())[1].requests!.left).toBe(Number(remaining) - 1);
    const text = JSON.stringify(body);
    for (const secret of [API_KEY, 'a secret of at least', app.config.DEPLOYMENT]) expect(text).not.toContain(secret);
  });

  it('answers the same as the resource of MCP', async () => {
    const message = { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'sandbox://capabilities' } };
    const answer = (await (await app.json('POST', '/mcp', message, MCP_HEADERS)).json()) as { result: { contents: { text: string }[] } };
    const { requests, ...rest } = JSON.parse(answer.result.contents[0]!.text) as Record<string, { left: number }>;
    const [, { requests: mine, ...same }] = await get();
    expect(rest).toEqual(same);
    expect(requests).toMatchObject({ left: (mine!.left as number) + 1 });
  });

  it('answers 422 when the image is none of the operator’s, and 401 without a credential', async () => {
    expect((await get('?image=other'))[1]).toMatchObject({ image: { name: 'other' } });
    expect(await get('?image=third')).toEqual([422, expect.objectContaining({ code: 'VALIDATION_FAILED' }), expect.any(String)]);
    expect((await fetch(`${app.url}/capabilities`)).status).toBe(401);
  });
});
