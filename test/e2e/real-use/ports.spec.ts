import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Tools } from '../../support/service/mcp';
import { eventually } from '../../support/service/processes';
import { listening } from '../../support/service/preview';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, type Client, Service } from '../../support/service/service';

jest.setTimeout(120_000);

const PAGE = readFileSync(join(__dirname, '../../../docs/previews.md'), 'utf8');
const run = promisify(execFile);
const deployment = new TestDeployment();
let service: Service;
let rest: Client;
let mcp: Tools;

beforeAll(async () => {
  service = await Service.start({ deployment });
  rest = service.client(ALICE);
  mcp = await Tools.connect(service, ALICE);
});
afterAll(async () => {
  await mcp?.close();
  await service?.stop('SIGKILL');
  await deployment.removeAll();
});

const curl = async (...options: string[]): Promise<string> => (await run('curl', ['-s', '--max-time', '20', ...options])).stdout;
/** What curl prints of an answer: its content, and its status in a last line. */
const status = (...options: string[]): Promise<string> => curl('-w', '\n%{http_code}', ...options);

describe('docs/previews.md', () => {
  it('gets a URL that curl can open when its example is pasted', async () => {
    const [, example] = /```bash\n([^]*?)```/.exec(PAGE)!;
    const pasted = example!.replaceAll('http://127.0.0.1:8000', service.url).replaceAll('$(cat .sandbox/api-key)', ALICE);
    const { stdout } = await run('bash', ['-c', pasted]);
    const { url } = JSON.parse(/\{"url".*$/.exec(stdout)![0]) as { url: string };
    expect(url).toMatch(new RegExp(`^http://8080-[0-9a-f]{32}\\.localhost:${service.port}/$`));
    await eventually('the server of the example listens', async () => (await curl(url)).includes('Directory listing for /'));
  });
});

describe('A server that an agent starts', () => {
  const SESSION = 'ports';

  // Under gVisor, a test removes the sandboxes that it has made.
  beforeAll(async () => {
    await mcp.call('workspace_write', { session_id: SESSION, path: 'site/index.html', content: '<h1>built by an agent</h1>' });
  });

  it('is seen by its user after expose_port', async () => {
    await mcp.call('execute', { session_id: SESSION, command: 'python3 -m http.server 3000 -d site', background: true });
    await eventually('it listens', async () => (await listening(rest, SESSION)).includes(3000));
    const { structuredContent } = await mcp.call('expose_port', { session_id: SESSION, port: 3000, expires_in: 60 });
    const { url, expires_at } = structuredContent as { url: string; expires_at: string };
    expect(Date.parse(expires_at) - Date.now()).toBeLessThanOrEqual(60_000);
    expect(await status(url)).toBe('<h1>built by an agent</h1>\n200');
    expect(await status('-I', '-o', '/dev/null', `${url}index.html`)).toBe('\n200');
    expect(await status('--compressed', `${url}missing.html`)).toMatch(/404$/);
    // The API's paths and credentials are nothing here.
    expect(await status('-H', `X-API-Key: ${ALICE}`, `${url}sessions`)).toMatch(/Error code: 404[^]*404$/);
  });

  it.each([
    [{ session_id: 'none', port: 80 }, 'There is no such session, or its sandbox does not run. A command in it makes one.'],
    [{ session_id: SESSION, port: 0 }, 'port must be an integer from 1 to 65535, not 0'],
    [{ session_id: SESSION, port: '3000x' }, 'port must be an integer from 1 to 65535'],
    [{ session_id: SESSION, port: 80, expires_in: 59 }, 'expires_in must be an integer from 60 to 86400, not 59'],
    [{ session_id: SESSION }, 'port is missing'],
  ])('is not exposed by %j', async (args, told) => {
    expect(await mcp.text('expose_port', args)).toContain(told);
  });

  it.each<[string, string, unknown, number, string]>([
    ['GET', '/sessions/none/ports', undefined, 404, 'SESSION_NOT_FOUND'],
    ['POST', '/sessions/none/ports/80', undefined, 404, 'SESSION_NOT_FOUND'],
    ['POST', `/sessions/${SESSION}/ports/65536`, undefined, 422, 'VALIDATION_FAILED'],
    ['POST', `/sessions/${SESSION}/ports/http`, undefined, 422, 'VALIDATION_FAILED'],
    ['POST', `/sessions/${SESSION}/ports/80`, { expires_in: 86_401 }, 422, 'VALIDATION_FAILED'],
    ['POST', `/sessions/${SESSION}/ports/80`, { ttl: 60 }, 422, 'VALIDATION_FAILED'],
    ['POST', `/sessions/${SESSION}/ports/80?expires_in=60`, undefined, 422, 'VALIDATION_FAILED'],
    ['PUT', `/sessions/${SESSION}/ports/80`, undefined, 405, 'METHOD_NOT_ALLOWED'],
    ['GET', `/sessions/${SESSION}/ports/81/proxy/`, undefined, 502, 'PORT_UNREACHABLE'],
    ['GET', `/sessions/${SESSION}/ports/0/proxy/`, undefined, 422, 'VALIDATION_FAILED'],
  ])('answers a problem to %s %s %j', async (method, path, body, code, problem) => {
    expect(await rest.request(method, path, body)).toMatchObject({ status: code, body: { code: problem } });
  });

  it('is reached by its user’s programs without a URL', async () => {
    const path = `${service.url}/sessions/${SESSION}/ports/3000/proxy`;
    expect(await status('-H', `X-API-Key: ${ALICE}`, `${path}/`)).toBe('<h1>built by an agent</h1>\n200');
    expect(await status(`${path}/`)).toMatch(/401$/);
    const moved = await curl('-H', `X-API-Key: ${ALICE}`, '-o', '/dev/null', '-w', '%{http_code}', `${path}/index.html?a=b`);
    expect(moved).toBe('200');
  });

  it('is out of reach when its URL is revoked', async () => {
    const { body } = await rest.request<{ url: string }>('POST', `/sessions/${SESSION}/ports/3000`);
    expect(await status(body.url)).toMatch(/200$/);
    expect((await rest.request('DELETE', `/sessions/${SESSION}/ports/3000`)).status).toBe(204);
    expect(await status(body.url)).toBe('There is no such preview (any more).\n\n404');
    expect(await status(body.url.replace(/-[0-9a-f]{32}/, `-${'0'.repeat(32)}`))).toBe('There is no such preview (any more).\n\n404');
  });
});
