import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { TEST_CLUSTER } from '../support/cluster-under-test';
import { TEST_CHANNEL, UNDER_GVISOR } from '../support/engine-under-test';
import { certificateFor } from '../support/network/certificate';
import { type DnsServer, startDnsServer } from '../support/network/dns-server';
import { Tools } from '../support/service/mcp';
import { eventually, TestRedis } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, BOB, type Client, type Env, type Executed, Service } from '../support/service/service';

jest.setTimeout(180_000);

/**
 * Servers of this test, at loopback addresses of their own. The API may reach them because
 * EGRESS_PRIVATE has them. Ports 80 and 443 are the real ones, since their first bytes are checked.
 */
const WEB = '127.0.77.1';
const OTHER = '127.0.77.2';
const SHIFTY = { addresses: [WEB] };
const ZONE: Record<string, readonly string[] | (() => readonly string[])> = {
  'web.test': [WEB],
  'other.test': [OTHER],
  'both.test': [WEB, '10.0.0.1'],
  'metadata.test': ['169.254.169.254'],
  'mapped.test': ['::ffff:10.0.0.1'],
  'loopback.test': ['127.0.0.1'],
  'shifty.test': () => SHIFTY.addresses,
  'sub.web.test': [WEB],
};
/** RCODE 3 of RFC 1035. */
const NO_SUCH_NAME = 3;
const SIZE = 8 << 20;
/** Downloads of that size at once. gVisor carries a few MiB a second. */
const MANY = UNDER_GVISOR ? '4' : '20';
/** What the largest process of a sandbox may have after an attack, KiB. The agent has 20 or so. */
const MOST_MEMORY = 64 << 10;
const respond: RequestListener = (request, response) => {
  if (request.url === '/big') response.end(Buffer.alloc(SIZE, 'x'));
  else if (request.url === '/endless') {
    const write = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(1024, 'y')));
    };
    response.on('drain', write);
    write();
  } else response.end(`${request.headers.host} ${request.url}`);
};

interface Denied {
  host: string;
  port: number | null;
  reason: string;
  rule?: string;
}
interface Network {
  allow: string[];
  is_default: boolean;
  bytes: number;
  connections: { host: string; port: number; end: string | null; bytes_in: number; bytes_out: number }[];
  denials: Denied[];
}
type Told = Executed & { network_denied?: Denied[] };

const servers: Server[] = [];
let dns: DnsServer;
let deployment: TestDeployment;
let env: Env;

async function listen(server: Server, port: number, host: string): Promise<number> {
  servers.push(server.listen(port, host));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

let echoPort: number;

beforeAll(async () => {
  dns = await startDnsServer((name, type) => {
    const known = ZONE[name];
    if (known === undefined) return { records: [], code: NO_SUCH_NAME };
    const addresses = typeof known === 'function' ? known() : known;
    const ofType = addresses.filter((each) => each.includes(':') === (type === 'AAAA'));
    return { records: ofType.map((data) => ({ type: type as 'A' | 'AAAA', data, ttl: 1 })) };
  });
  const certificate = certificateFor('web.test', 'other.test');
  for (const host of [WEB, OTHER]) {
    await listen(createHttpServer(respond), 80, host);
    await listen(createTlsServer(certificate, respond), 443, host);
  }
  echoPort = await listen(
    createServer((socket) => socket.on('error', () => undefined).pipe(socket)),
    0,
    WEB,
  );
  env = {
    EGRESS_ALLOW: `web.test,*.test,*.test:${echoPort},*.test:22`,
    EGRESS_DNS: dns.address,
    EGRESS_PRIVATE: `${WEB},${OTHER}`,
  };
});
afterAll(() => {
  dns?.close();
  for (const server of servers) server.close();
  for (const server of servers) (server as unknown as { closeAllConnections?: () => void }).closeAllConnections?.();
});

beforeAll(() => {
  deployment = new TestDeployment();
});
afterAll(() => deployment.removeAll());

const denied = ({ network_denied = [] }: Told): string[] => network_denied.map(({ host, port, reason }) => `${host}:${port} ${reason}`);

describe('A session with a network', () => {
  let service: Service;
  let alice: Client;

  const begin = (session_id: string, allow?: string[]) =>
    alice.request('POST', '/sessions', { session_id, ...(allow !== undefined && { network: { allow } }) });
  const run = (session: string, command: string): Promise<Told> => alice.run(session, command, { timeout: 60 });
  const network = async (session: string): Promise<Network> => (await alice.request<Network>('GET', `/sessions/${session}/network`)).body;

  beforeAll(async () => {
    service = await Service.start({ deployment, env });
    alice = service.client(ALICE);
    for (const [name, rules] of [
      ['web', ['web.test', `web.test:${echoPort}`]],
      ['all', ['*.test']],
      ['none', undefined],
    ] as const)
      expect((await begin(name, rules && [...rules])).status).toBe(200);
  });
  afterAll(() => service?.stop());

  it.each([
    ['curl over http', 'curl -sS http://web.test/a', 'web.test /a'],
    ['curl over TLS', 'curl -sSk https://web.test/a', 'web.test /a'],
    ['Python', `python3 -c 'import urllib.request as u; print(u.urlopen("http://web.test/p").read().decode())'`, 'web.test /p\n'],
    ['a name in upper case, with a final dot', 'curl -sS http://WEB.test./a', 'web.test /a'],
    ['a download of megabytes', 'curl -sS http://web.test/big | wc -c', `${SIZE}\n`],
    ['many at once', 'for i in $(seq MANY); do curl -sS http://web.test/big | wc -c & done | sort -u; wait', `${SIZE}\n`],
    [
      'a protocol of its own, on its own port',
      `python3 -c 'import socket; s = socket.create_connection(("web.test", PORT)); s.sendall(b"x" * 70000); s.shutdown(1); print(sum(len(p) for p in iter(lambda: s.recv(4096), b"")))'`,
      '70000\n',
    ],
  ])('reaches an allowed server by %s', async (_way, command, stdout) => {
    const told = await run('web', command.replace('PORT', String(echoPort)).replace('MANY', MANY));
    expect(told).toMatchObject({
      stdout: stdout.replace('web.test', command.includes('WEB.test.') ? 'WEB.test.' : 'web.test'),
      stderr: '',
      exit_code: 0,
    });
    expect(told).not.toHaveProperty('network_denied');
  });

  it.each([
    ['a name that no rule has', 'web', 'curl -sS http://other.test/', 6, 'other.test:null name_not_allowed'],
    ['a name below one that is allowed', 'web', 'curl -sS http://sub.web.test/', 6, 'sub.web.test:null name_not_allowed'],
    ['a port that no rule has', 'web', 'curl -sS --max-time 20 http://web.test:22/', null, 'web.test:22 port_not_allowed'],
    ['the cloud’s metadata', 'all', 'curl -sS http://metadata.test/', 6, 'metadata.test:null private_address'],
    ['an IPv4 address within an IPv6 one', 'all', 'curl -sS http://mapped.test/', 6, 'mapped.test:null private_address'],
    ['a public and a private address together', 'all', 'curl -sS http://both.test/', 6, 'both.test:null private_address'],
    ['the host’s own loopback', 'all', 'curl -sS http://loopback.test/', 6, 'loopback.test:null private_address'],
    [
      'another server name in the TLS hello',
      'all',
      'curl -sSk --connect-to other.test:443:web.test:443 https://other.test/',
      35,
      'web.test:443 tls_name_mismatch',
    ],
    [
      'no server name in the TLS hello',
      'all',
      `python3 -c 'import socket, ssl; c = ssl._create_unverified_context(); c.check_hostname = False; c.wrap_socket(socket.create_connection(("web.test", 443)))'`,
      1,
      'web.test:443 tls_name_missing',
    ],
    ['another Host', 'all', 'curl -sS -H "Host: other.test" http://web.test/', 56, 'web.test:80 http_host_mismatch'],
  ])('refuses and names %s', async (_what, session, command, exit_code, refused) => {
    const told = await run(session, command);
    expect(denied(told)).toEqual([refused]);
    if (exit_code !== null) expect(told.exit_code).toBe(exit_code);
    expect((await network(session)).denials.map(({ host, port, reason }) => `${host}:${port} ${reason}`)).toContain(refused);
  });

  it.each([
    ['an address', 'curl -sS --max-time 5 http://127.0.77.1/'],
    ['a public address', 'curl -sS --max-time 5 http://203.0.113.80/'],
    ['a DNS server of its own', `python3 -c 'import socket; s = socket.socket(2, 2); s.connect(("9.9.9.9", 53)); s.send(b"x")'`],
    ['a name that does not exist', 'curl -sS http://missing.test/'],
    [
      'a name of 300 characters',
      `curl -sS http://${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(60)}.test/`,
    ],
  ])('does not reach %s', async (_what, command) => {
    expect((await run('all', command)).exit_code).not.toBe(0);
  });

  it('asks no DNS server for a name that is not allowed', async () => {
    await run('web', 'getent hosts secret-data.other.test; getent hosts x.example.com');
    expect(dns.questions.filter((name) => /secret|example/.test(name))).toEqual([]);
  });

  it('refuses a name that turns private between two connections', async () => {
    expect((await run('all', 'curl -sS http://shifty.test/')).exit_code).toBe(0);
    SHIFTY.addresses = ['10.0.0.1'];
    await eventually(
      'the answer is no longer remembered',
      async () => denied(await run('all', 'curl -sS --max-time 5 http://shifty.test/')).length > 0,
    );
    expect(denied(await run('all', 'curl -sS http://shifty.test/'))).toEqual(['shifty.test:null private_address']);
  });

  it('has nothing of it in the sandbox when its rules are empty', async () => {
    const listening = await run('none', 'cat /proc/net/udp /proc/net/tcp | wc -l; curl -sS http://web.test/');
    expect(listening).toMatchObject({ stdout: '2\n', exit_code: 6 });
    expect(listening).not.toHaveProperty('network_denied');
    expect(await network('none')).toMatchObject({ allow: [], is_default: true, connections: [], denials: [] });
  });

  it('tells of its connections and their bytes', async () => {
    await begin('told', ['web.test']);
    await run('told', 'curl -sS http://web.test/big > /dev/null');
    await eventually('its end is noted', async () => (await network('told')).connections[0]?.end === 'closed');
    const { connections, bytes, allow, is_default } = await network('told');
    expect({ allow, is_default }).toEqual({ allow: ['web.test'], is_default: false });
    expect(connections).toEqual([expect.objectContaining({ host: 'web.test', port: 80, end: 'closed', bytes_out: expect.any(Number) })]);
    expect(connections[0]!.bytes_in).toBeGreaterThan(SIZE);
    expect(bytes).toBe(connections[0]!.bytes_in + connections[0]!.bytes_out);
  });

  it('says by MCP what was refused and which rule would allow it', async () => {
    const tools = await Tools.connect(service, ALICE);
    const session_id = 'by mcp';
    await tools.call('create_session', { session_id, network: { allow: ['web.test'] } });
    expect(await tools.text('execute', { session_id, command: 'curl -sS http://other.test/' })).toContain(
      'note: the network refused other.test (name_not_allowed): network.allow of the session would need other.test',
    );
    await tools.close();
  });

  it('says of a job what was refused while it ran', async () => {
    const started = await alice.request<{ job_id: string }>('POST', '/sessions/web/jobs', { command: 'curl -sS http://job.test/' });
    const job = `/sessions/web/jobs/${started.body.job_id}`;
    await eventually('the job has ended', async () => (await alice.request('GET', job)).body.state !== 'running');
    const { network_denied } = (await alice.request<Told>('GET', job)).body;
    expect(network_denied).toContainEqual({ host: 'job.test', port: null, reason: 'name_not_allowed', rule: 'job.test' });
  });

  it('cuts a transfer and refuses the next when its rules change, and reaches what is new', async () => {
    await begin('changed', ['web.test']);
    const running = run('changed', 'curl -sS --max-time 50 http://web.test/endless > /dev/null');
    await eventually('bytes have come', async () => (await network('changed')).bytes > 100_000);
    const changed = await alice.request<Network>('PUT', '/sessions/changed/network', { allow: ['other.test'] });
    expect(changed).toMatchObject({ status: 200, body: { allow: ['other.test'] } });
    expect((await running).exit_code).not.toBe(0);
    await eventually('the end is noted', async () => (await network('changed')).connections[0]?.end === 'revoked');
    expect(denied(await run('changed', 'curl -sS http://web.test/'))).toEqual(['web.test:null name_not_allowed']);
    expect((await run('changed', 'curl -sS http://other.test/')).stdout).toBe('other.test /');
  });

  it('gets a network, and loses it, when it began without one', async () => {
    await begin('late');
    expect((await run('late', 'curl -sS http://web.test/')).exit_code).toBe(6);
    await alice.request('PUT', '/sessions/late/network', { allow: ['web.test'] });
    expect((await run('late', 'curl -sS http://web.test/')).stdout).toBe('web.test /');
    await alice.request('PUT', '/sessions/late/network', { allow: [] });
    expect(await run('late', 'curl -sS http://web.test/')).not.toHaveProperty('exit_code', 0);
    expect((await alice.request('GET', '/sessions/late')).body).toMatchObject({ network: { allow: [] } });
  });

  it.each([
    ['a rule over the operator’s', ['web.test', 'example.com'], 'example.com'],
    ['a port over the operator’s', ['web.test:8080'], 'web.test:8080'],
    ['a preset over the operator’s', ['packages'], 'packages'],
    ['an address', ['10.0.0.1'], '10.0.0.1'],
    ['a URL', ['https://web.test/'], 'https://web.test/'],
  ])('refuses %s and names it', async (_what, allow, named) => {
    const answers = [await begin('refused', allow), await alice.request('PUT', '/sessions/web/network', { allow })];
    for (const { status, body } of answers) {
      expect([status, body.code]).toEqual([422, 'VALIDATION_FAILED']);
      expect(body.errors).toEqual([{ field: 'network.allow', message: expect.stringContaining(JSON.stringify(named)) }]);
    }
  });

  it.each([
    ['it is allowed', { session_id: 'web', host: 'WEB.test.', port: 443 }, { allowed: true }],
    [
      'its port is not',
      { session_id: 'web', host: 'web.test', port: 22 },
      { allowed: false, reason: 'port_not_allowed', rule: 'web.test:22' },
    ],
    [
      'its name is not',
      { session_id: 'web', host: 'other.test', port: 443 },
      { allowed: false, reason: 'name_not_allowed', rule: 'other.test' },
    ],
    [
      'the operator does not offer it',
      { session_id: 'web', host: 'example.com', port: 443 },
      { allowed: false, reason: 'name_not_allowed' },
    ],
    ['it is private', { session_id: 'all', host: 'metadata.test', port: 80 }, { allowed: false, reason: 'private_address' }],
    ['it does not exist', { session_id: 'all', host: 'missing.test', port: 80 }, { allowed: false, reason: 'name_not_found' }],
    ['it is an address', { session_id: 'all', host: '0x7f.1', port: 80 }, { allowed: false, reason: 'not_a_name' }],
    ['the session asks for nothing', { host: 'web.test', port: 80 }, { allowed: false, reason: 'name_not_allowed', rule: 'web.test' }],
  ])('is told what would happen when %s', async (_when, question, answer) => {
    expect((await alice.request('POST', '/network/check', question)).body).toEqual(answer);
  });

  it('is none of another user’s', async () => {
    const bob = service.client(BOB);
    for (const [method, path, body] of [
      ['GET', '/sessions/web/network', undefined],
      ['PUT', '/sessions/web/network', { allow: [] }],
      ['POST', '/network/check', { session_id: 'web', host: 'web.test', port: 80 }],
    ] as const)
      expect((await bob.request(method, path, body)).status).toBe(404);
    expect((await network('web')).allow).toContain('web.test');
  });

  it('works again when its programs have killed all that they can', async () => {
    await begin('kill', ['web.test']);
    await run('kill', 'kill -9 -1').catch(() => undefined);
    await eventually(
      'it works again',
      async () => (await run('kill', 'curl -sS http://web.test/').catch(() => null))?.stdout === 'web.test /',
    );
  });

  it('reaches nothing, and takes no harm, when a program holds port 53 first', async () => {
    await begin('held');
    const held = `import socket, time; s = socket.socket(2, 2); s.bind(("127.0.0.1", 53)); time.sleep(3600)`;
    const { body } = await alice.request<{ job_id: string }>('POST', '/sessions/held/jobs', { command: `exec python3 -c '${held}'` });
    await eventually('it is held', async () => (await run('held', 'cat /proc/net/udp')).stdout.includes(':0035'));
    expect((await alice.request('PUT', '/sessions/held/network', { allow: ['web.test'] })).status).toBe(200);
    expect((await run('held', 'timeout 5 curl -sS http://web.test/')).exit_code).not.toBe(0);
    await alice.request('DELETE', `/sessions/held/jobs/${body.job_id}`);
    await eventually('it works', async () => (await run('held', 'curl -sS http://web.test/')).stdout === 'web.test /');
  });

  it('goes on for others when it stalls a download', async () => {
    await begin('stalled', ['web.test']);
    const command = `python3 -c 'import socket, time; s = [socket.create_connection(("web.test", 80)) for _ in range(32)]; [c.sendall(b"GET /endless HTTP/1.1\\r\\nHost: web.test\\r\\n\\r\\n") for c in s]; time.sleep(3600)'`;
    const { body } = await alice.request<{ job_id: string }>('POST', '/sessions/stalled/jobs', { command });
    await eventually('they are open', async () => (await network('stalled')).connections.filter(({ end }) => end === null).length === 32);
    for (const session of ['stalled', 'web'])
      expect(await run(session, 'curl -sS http://web.test/big | wc -c')).toMatchObject({ stdout: `${SIZE}\n`, stderr: '' });
    await alice.request('DELETE', `/sessions/stalled/jobs/${body.job_id}`);
  });

  it.each([
    ['100,000 DNS queries of every kind', 'dns_flood.py', '100000'],
    ['10,000 connections at the same time', 'connection_flood.py', 'web.test 10000'],
  ])('goes on after %s', async (_what, program, parameters) => {
    const session = program.replace('.py', '');
    await begin(session, ['web.test']);
    const content = readFileSync(join(__dirname, '../support/programs', program), 'utf8');
    expect((await alice.request('PUT', alice.workspace(session, program, true), { content })).status).toBe(204);
    const told = await alice.run(session, `python3 ${program} ${parameters}`, { timeout: 120 });
    expect(told).toMatchObject({ stdout: `${parameters.split(' ').at(-1)}\n`, stderr: '', exit_code: 0 });
    const reached = async () => (await run(session, 'curl -sS --max-time 20 http://web.test/')).stdout === 'web.test /';
    await eventually('it reaches the server', reached, 60);
    expect(Number((await run(session, 'ps -eo rss= | sort -n | tail -n 1')).stdout)).toBeLessThan(MOST_MEMORY);
    expect((await run('web', 'curl -sS http://web.test/')).stdout).toBe('web.test /');
  });
});

describe('The rules of a session', () => {
  const start = (more: Env = {}, redis?: TestRedis): Promise<Service> => Service.start({ deployment, redis, env: { ...env, ...more } });
  const REACHED = 'web.test /';
  const fetchWeb = async (client: Client, session = 's'): Promise<string> =>
    (await client.run(session, 'curl -sS --max-time 20 http://web.test/', { timeout: 30 })).stdout;

  it('survive a restart of the API with a store in its memory, the first ones and those that came later', async () => {
    let service = await start();
    let alice = service.client(ALICE);
    await alice.request('POST', '/sessions', { session_id: 'first', network: { allow: ['web.test'] } });
    await alice.request('POST', '/sessions', { session_id: 'closed', network: { allow: ['web.test'] } });
    await alice.request('PUT', '/sessions/closed/network', { allow: [] });
    await service.stop('SIGKILL');
    service = await start();
    alice = service.client(ALICE);
    try {
      // The note is in the channel's directory, or in a cluster. Without it, nothing is allowed.
      const isNoted = TEST_CHANNEL === 'direct' || TEST_CLUSTER !== null;
      expect(await fetchWeb(alice, 'first')).toBe(isNoted ? REACHED : '');
      expect(await fetchWeb(alice, 'closed')).toBe('');
      expect((await alice.request<Network>('GET', '/sessions/closed/network')).body).toMatchObject({ allow: [], is_default: false });
    } finally {
      await service.stop();
    }
  });

  it('hold for its next sandbox when this one dies', async () => {
    const service = await start();
    try {
      const alice = service.client(ALICE);
      await alice.request('POST', '/sessions', { session_id: 'dies', network: { allow: ['web.test'] } });
      const { container_id } = await alice.run('dies', 'true');
      await deployment.removeContainer(container_id);
      expect(await fetchWeb(alice, 'dies')).toBe(REACHED);
    } finally {
      await service.stop();
    }
  });

  it('are the operator’s default when the session asks for nothing', async () => {
    const service = await start({ EGRESS_DEFAULT: 'web.test', POOL_SIZE: '1' });
    try {
      const alice = service.client(ALICE);
      expect(await fetchWeb(alice, 'default')).toBe(REACHED);
      await alice.request('POST', '/sessions', { session_id: 'nothing', network: { allow: [] } });
      expect(await fetchWeb(alice, 'nothing')).toBe('');
    } finally {
      await service.stop();
    }
  });

  it('end every connection when the API is killed', async () => {
    const service = await start();
    const alice = service.client(ALICE);
    await alice.request('POST', '/sessions', { session_id: 'cut', network: { allow: ['web.test'] } });
    const command = 'curl -sS http://web.test/endless > /dev/null; echo $? > ended; curl -sS http://web.test/; echo $? >> ended';
    await alice.request('POST', '/sessions/cut/jobs', { command });
    await eventually('bytes have come', async () => (await alice.request<Network>('GET', '/sessions/cut/network')).body.bytes > 100_000);
    await service.stop('SIGKILL');
    const next = await start();
    try {
      const ended = async () => (await next.client(ALICE).run('cut', 'cat ended 2> /dev/null')).stdout.split('\n');
      await eventually('the job has ended', async () => (await ended()).length === 3);
      expect(await ended()).not.toContain('0');
    } finally {
      await next.stop();
    }
  });

  it('hold over several API processes, and each tells of what was refused', async () => {
    const redis = await TestRedis.start();
    const services = [await start({}, redis), await start({}, redis)];
    const [one, two] = services.map((service) => service.client(ALICE)) as [Client, Client];
    try {
      await one.request('POST', '/sessions', { session_id: 'shared', network: { allow: ['web.test'] } });
      expect([await fetchWeb(one, 'shared'), await fetchWeb(two, 'shared')]).toEqual([REACHED, REACHED]);
      for (const client of [one, two]) {
        // The process that serves the sandbox tells the other one by the store, a moment later.
        const told = await eventually('it is told', async () => {
          const found = denied(await client.run('shared', 'curl -sS http://other.test/; sleep 2'));
          return found.length > 0 && found;
        });
        expect(told).toEqual(['other.test:null name_not_allowed']);
      }
      const running = one.run('shared', 'curl -sS --max-time 50 http://web.test/endless > /dev/null', { timeout: 60 });
      await eventually('bytes have come', async () => (await two.request<Network>('GET', '/sessions/shared/network')).body.bytes > 100_000);
      await two.request('PUT', '/sessions/shared/network', { allow: ['other.test'] });
      expect((await running).exit_code).not.toBe(28);
      await eventually('both refuse it', async () => (await fetchWeb(one, 'shared')) === '' && (await fetchWeb(two, 'shared')) === '');
      // The other process takes the sandbox's resolver over.
      await services[0]!.stop('SIGKILL');
      const reached = async () => (await two.run('shared', 'curl -sS http://other.test/')).stdout === 'other.test /';
      await eventually('the other process serves it', reached);
    } finally {
      for (const service of services) await service.stop();
      redis.stop();
    }
  });

  it('are refused in whole when the operator offers nothing', async () => {
    const service = await start({ EGRESS_ALLOW: '' });
    try {
      const alice = service.client(ALICE);
      const answer = await alice.request('POST', '/sessions', { session_id: 'off', network: { allow: ['web.test'] } });
      expect(answer.status).toBe(422);
      expect(JSON.stringify(answer.body.errors)).toContain('EGRESS_ALLOW is empty');
      const tools = await Tools.connect(service, ALICE);
      expect(await tools.text('execute', { session_id: 'off', command: 'curl -sS http://web.test/' })).toContain('exit code 6');
      await tools.close();
    } finally {
      await service.stop();
    }
  });
});
