import { once } from 'node:events';
import { connect } from 'node:net';
import { TestApp } from '../../../../test/support/test-app';

const PROBLEM = { type: expect.stringMatching(/^urn:/), title: expect.any(String), detail: expect.any(String) };

describe('ProblemFilter in the API', () => {
  let app: TestApp;

  beforeAll(async () => {
    app = await TestApp.start();
  });
  afterAll(() => app.stop());

  /** Sends exactly this, and gives back all that comes until the connection is closed. */
  const raw = async (text: string): Promise<string> => {
    const socket = connect(app.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', () => undefined);
    socket.write(text);
    await once(socket, 'close');
    return answer;
  };

  it.each([
    ['GET', '/nothing', 404, 'NOT_FOUND'],
    ['GET', '/', 404, 'NOT_FOUND'],
    ['GET', '/sessions/a/b/c', 404, 'NOT_FOUND'],
    ['GET', '/docs/nothing', 404, 'NOT_FOUND'],
    ['GET', '/docs/..%2f..%2fpackage.json', 404, 'NOT_FOUND'],
    ['GET', '/sessions/%E0%A4%A', 400, 'BAD_REQUEST'],
    ['GET', '/%E0%A4%A', 400, 'BAD_REQUEST'],
    ['GET', '/sessions/s/workspace?path=%E0%A4%A', 400, 'BAD_REQUEST'],
    ['GET', '/sessions/s/workspace?path=%ff', 400, 'BAD_REQUEST'],
  ])('answers a problem when %s %s fails: %i %s', async (method, path, status, code) => {
    const response = await app.fetch(path, { method });
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toEqual({ ...PROBLEM, status, code, request_id: response.headers.get('x-request-id') });
    expect(response.status).toBe(status);
  });

  it.each([
    ['PUT', '/sessions/s', 'DELETE, GET, HEAD, PATCH'],
    ['GET', '/execute', 'POST'],
    ['POST', '/health', 'GET, HEAD'],
    ['OPTIONS', '/sessions', 'GET, HEAD, POST'],
    ['DELETE', '/sessions/a%2Fb/workspace/content', 'GET, HEAD, PUT'],
  ])('answers 405 with the allowed methods when %s %s has another', async (method, path, allow) => {
    const response = await app.fetch(path, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
  });

  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['a header name with a space', 'GET /health HTTP/1.1\r\nHost: x\r\na b: c\r\n\r\n', 400],
    ['two lengths', 'POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['length and chunks', 'POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['headers too long', `GET /health HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ])('answers a problem, and closes, when it gets %s', async (_name, text, status) => {
    const answer = await raw(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain('Content-Type: application/problem+json');
    const id = /^X-Request-Id: (.+)$/m.exec(answer)![1]!.trim();
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toEqual({ ...PROBLEM, status, code: 'BAD_REQUEST', request_id: id });
  });

  it('names no software when it answers', async () => {
    const { headers } = await app.fetch('/nothing');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('server')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('answers without a body when the method is HEAD', async () => {
    const response = await app.fetch('/nothing', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([404, '']);
  });

  it.each(['abc', 'A_b-c.9', 'x'.repeat(128)])('gives the request id back when it is %.10s', async (id) => {
    const response = await app.fetch('/health', { headers: { 'X-Request-Id': id } });
    expect(response.headers.get('x-request-id')).toBe(id);
  });

  it.each(['', 'with space', 'x'.repeat(129), 'a/b', '"quoted"', 'a, b'])(
    'makes an id when the one sent is unusable: %.10j',
    async (id) => {
      const response = await app.fetch('/health', { headers: { 'X-Request-Id': id } });
      expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    },
  );
});
