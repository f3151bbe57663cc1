import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { eventually } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, Client, Service } from '../support/service/service';

jest.setTimeout(240_000);

const SECRET = 'a secret of at least thirty-two bytes';

/**
 * Sends what no client should send to the built service. Specs beside the controllers test the
 * limits of the schemas.
 */
describe('The service, at hostile input,', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let alice: Client;

  beforeAll(async () => {
    service = await Service.start({ deployment, env: { JWT_SECRET: SECRET } });
    alice = service.client(ALICE);
  });
  afterEach(async () => {
    expect((await alice.request('GET', '/health')).status).toBe(200);
    expect(service.child.isRunning).toBe(true);
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  const post = (body: string | undefined, headers: Record<string, string> = {}) =>
    alice.request('POST', '/execute', undefined, { body, headers: { 'Content-Type': 'application/json', ...headers } });

  it.each<[string, string, number, string]>([
    ['no JSON', '{"command":', 400, 'BAD_REQUEST'],
    ['deep JSON', `{"command":"id","session_id":"s","env":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`, 400, 'BAD_REQUEST'],
    ['__proto__', '{"command":"id","session_id":"s","__proto__":{"shell":"bash"}}', 422, 'VALIDATION_FAILED'],
    ['null', 'null', 422, 'VALIDATION_FAILED'],
    ['a number as text', '{"command":"id","session_id":"s","timeout":"5"}', 422, 'VALIDATION_FAILED'],
    ['NUL', '{"command":"id\\u0000","session_id":"s"}', 422, 'VALIDATION_FAILED'],
    ['more than 2 MiB', JSON.stringify({ command: 'id', session_id: 's', stdin: 'x'.repeat(2 << 20) }), 413, 'PAYLOAD_TOO_LARGE'],
    ['a timeout over the maximum', '{"command":"id","session_id":"s","timeout":121}', 422, 'VALIDATION_FAILED'],
    ['a directory that is none', '{"command":"id","session_id":"s","working_dir":"/etc/passwd"}', 400, 'INVALID_WORKING_DIR'],
    ['a program off the list', '{"command":"echo x; nsenter","session_id":"s"}', 400, 'COMMAND_NOT_ALLOWED'],
  ])('answers a client error to %s', async (_, body, status, code) => {
    const answer = await post(body);
    expect(answer.body).toMatchObject({ status, code, request_id: answer.headers.get('x-request-id') });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(JSON.stringify(answer.body)).not.toMatch(/\/(usr|home|root|var)\/|node_modules|OCI|dockerode|\.js:\d/);
  });

  it('answers a client error when body, type, address or method is wrong', async () => {
    expect((await post(undefined)).status).toBe(422);
    expect(await post('command=id', { 'Content-Type': 'application/x-www-form-urlencoded' })).toMatchObject({
      status: 415,
      body: { code: 'UNSUPPORTED_MEDIA_TYPE' },
    });
    expect(await alice.request('GET', '/nowhere')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await alice.request('GET', '/execute')).status).toBe(405);
  });

  /** A request as raw bytes: what `fetch` would not send. */
  async function raw(head: string, more: (write: (bytes: Buffer) => boolean) => Promise<void> = async () => undefined): Promise<string> {
    const socket = connect(service.port, '127.0.0.1');
    // The service may close the connection before all is sent.
    socket.on('error', () => undefined);
    const answer = text(socket).catch(() => '');
    socket.write(head);
    await more((bytes) => !socket.destroyed && socket.write(bytes));
    const result = await answer;
    socket.destroy();
    return result;
  }

  const head = (path: string, length: number | string, key = ALICE) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: ${key}\r\nContent-Type: application/json\r\n` +
    (typeof length === 'number' ? `Content-Length: ${length}\r\n\r\n` : `${length}\r\n\r\n`);

  it('refuses a body of 200 MB, without holding it, when it is declared or chunked', async () => {
    const size = 200 << 20;
    expect(await raw(head('/execute', size))).toMatch(/^HTTP\/1\.1 413 /);
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 0x20), Buffer.from('\r\n')]);
    const answer = await raw(head('/execute', 'Transfer-Encoding: chunked'), async (write) => {
      for (let sent = 0; sent < size; sent += 0x10000) {
        if (!write(chunk)) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      write(Buffer.from('0\r\n\r\n'));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('keeps the refusal for a client when it sends on before it reads', async () => {
    const socket = connect(service.port, '127.0.0.1');
    socket.on('error', () => undefined).pause();
    socket.write(head('/execute', 'Transfer-Encoding: chunked'));
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 0x20), Buffer.from('\r\n')]);
    for (let sent = 0; sent < 150 && !socket.destroyed; sent++) {
      socket.write(chunk);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await text(socket).catch(() => '')).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('refuses a request when it is no HTTP, its header has no end, or its credential is wrong', async () => {
    expect(await raw('\x16\x03\x01 nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [^]*application\/problem\+json/);
    expect(await raw(`GET / HTTP/1.1\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await raw(head('/execute', 2, 'wrong'), async (write) => void write(Buffer.from('{}')))).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('leaves nothing behind when a client goes away during its body', async () => {
    const socket = connect(service.port, '127.0.0.1');
    socket.write(`${head('/execute', 1000)}{"command":"touch never"`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    socket.destroy();
    await once(socket, 'close');
  });

  it('leaves nothing behind when a client goes away while its sandbox is created', async () => {
    for (const path of ['content?path=f', 'archive?path=d', 'upload?path=u']) {
      const type = path.startsWith('upload') ? 'multipart/form-data; boundary=b' : 'application/octet-stream';
      const begun = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nabc';
      for (const waitMs of [5, 20, 60]) {
        const socket = connect(service.port, '127.0.0.1');
        socket.on('error', () => undefined);
        const [method, session] = [path.startsWith('upload') ? 'POST' : 'PUT', `cut-${path[0]}${waitMs}`];
        socket.write(
          `${method} /sessions/${session}/workspace/${path} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${ALICE}\r\n` +
            `Content-Type: ${type}\r\nContent-Length: 100000\r\n\r\n${begun}`,
        );
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        socket.resetAndDestroy();
      }
    }
    await eventually('the last session is there', async () => (await service.client(ALICE).execute('cut-u60', 'true')).status === 200);
  });

  it('answers 401 when a token is expired, unsigned or of another key', async () => {
    const token = (claims: object, algorithm = 'HS256', secret = SECRET) => {
      const content = [{ alg: algorithm, typ: 'JWT' }, claims]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.');
      return `${content}.${algorithm === 'none' ? '' : createHmac('sha256', secret).update(content).digest('base64url')}`;
    };
    const bearer = (value: string) => new Client(service.url, { Authorization: `Bearer ${value}` });
    const exp = Math.floor(Date.now() / 1000) + 600;
    expect((await bearer(token({ sub: 'carol', exp })).run('mine', 'echo carol > who; cat who')).stdout).toBe('carol\n');
    expect((await bearer(token({ sub: 'dave', exp })).run('mine', 'cat who || echo none')).stdout).toBe('none\n');
    const refused = [
      token({ sub: 'carol', exp: exp - 1200 }),
      token({ sub: 'carol' }),
      token({ sub: 'carol', exp }, 'none'),
      token({ sub: 'carol', exp }, 'HS256', `${SECRET}!`),
      token({ sub: '', exp }),
    ];
    for (const value of refused) {
      const answer = await bearer(value).execute('mine', 'id');
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBeTruthy();
    }
    // A wrong key together with a good token.
    const both = new Client(service.url, { Authorization: `Bearer ${token({ sub: 'carol', exp })}`, 'X-API-Key': 'wrong' });
    expect((await both.execute('mine', 'id')).status).toBe(401);
  });
});
