import { randomUUID } from 'node:crypto';
import { Tools } from '../../support/service/mcp';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, BOB, Client, Service } from '../../support/service/service';
import { Terminal } from '../../support/service/terminal';

jest.setTimeout(120_000);

/** This has two dots like a JWT, but no JSON before them. So it is a key. */
const DOTTED = 'team.ci.key-0123456789';

const deployment = new TestDeployment();
let service: Service;

beforeAll(async () => {
  // JWT_SECRET is not set, so JWTs are off.
  service = await Service.start({ deployment, env: { API_KEYS: [ALICE, BOB, DOTTED].join(',') } });
});

afterAll(async () => {
  await service?.stop();
  await deployment.removeAll();
});

const as = (headers: Record<string, string>): Client => new Client(service.url, headers);
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const JWT = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: 'alice', exp: 4_102_444_800 })}.c2lnbmF0dXJl`;

describe('Authentication, for an API key as a Bearer token,', () => {
  it.each([`Bearer ${ALICE}`, `bearer ${ALICE}`, `BEARER   ${ALICE}`, `Bearer ${DOTTED}`])(
    'lets a client in when it sends %j',
    async (Authorization) => {
      expect(await as({ Authorization }).execute('bearer', 'echo in')).toMatchObject({
        status: 200,
        body: { stdout: 'in\n', exit_code: 0 },
      });
    },
  );

  it('sees the same user as with X-API-Key when the call is by REST, MCP or WebSocket', async () => {
    const session_id = randomUUID();
    await as({ 'X-API-Key': ALICE }).run(session_id, 'echo mine > who');
    const headers = { Authorization: `Bearer ${ALICE}` };
    expect((await as(headers).run(session_id, 'cat who')).stdout).toBe('mine\n');
    const tools = await Tools.connectTo(`${service.url}/mcp/`, headers);
    const { structuredContent } = await tools.call('execute', { session_id, command: 'cat who' });
    expect(structuredContent).toMatchObject({ stdout: 'mine\n' });
    await tools.close();
    const terminal = await Terminal.open(as(headers), session_id, `?command=${encodeURIComponent('cat who')}`);
    await terminal.shows(/mine\r\n/);
    await terminal.close();
    expect((await as({ Authorization: `Bearer ${BOB}` }).run(session_id, 'cat who || echo none')).stdout).toBe('none\n');
  });

  it.each<[string, Record<string, string>]>([
    ['a wrong key', { Authorization: 'Bearer wrong' }],
    ['a part of a key', { Authorization: `Bearer ${ALICE.slice(0, -1)}` }],
    ['two keys', { Authorization: `Bearer ${ALICE},${BOB}` }],
    ['a key and more', { Authorization: `Bearer ${ALICE} x` }],
    ['a key by another scheme', { Authorization: `Basic ${ALICE}` }],
    ['a JWT, which are off', { Authorization: `Bearer ${JWT}` }],
    ['no key', { Authorization: 'Bearer ' }],
    ['a key beside a wrong X-API-Key', { 'X-API-Key': 'wrong', Authorization: `Bearer ${ALICE}` }],
  ])('refuses a client when it sends %s', async (_what, headers) => {
    for (const path of ['/execute', '/mcp/']) {
      const { status, body, headers: answered } = await as(headers).request('POST', path, {});
      expect([status, body.code, body.detail]).toEqual([401, 'UNAUTHORIZED', 'A valid credential is needed.']);
      expect(answered.get('www-authenticate')).toBe('Bearer realm="sandbox-api", ApiKey realm="sandbox-api", header="X-API-Key"');
    }
    expect(await Terminal.refused(as(headers), '/sessions/s/terminal')).toEqual([401, 'UNAUTHORIZED']);
  });

  it('uses X-API-Key when both are sent and valid', async () => {
    expect((await as({ 'X-API-Key': ALICE, Authorization: 'Bearer wrong' }).request('GET', '/sessions')).status).toBe(200);
  });

  it('counts a failed attempt when the key is wrong', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 61; n++) statuses.push((await as({ Authorization: `Bearer guess-${n}` }).request('GET', '/sessions')).status);
    expect(statuses.at(-1)).toBe(429);
    expect((await as({ Authorization: `Bearer ${ALICE}` }).request('GET', '/sessions')).status).toBe(200);
  });
});
