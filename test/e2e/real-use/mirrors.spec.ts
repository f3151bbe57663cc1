import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { certificateOfAuthority } from '../../support/network/certificate';
import { type DnsServer, startDnsServer } from '../../support/network/dns-server';
import { TEST_CHANNEL_DIRECTORY } from '../../support/engine-under-test';
import { docker, TestDeployment } from '../../support/service/deployment';
import { eventually } from '../../support/service/processes';
import { ALICE, type Client, type Env, type Executed, Service } from '../../support/service/service';

jest.setTimeout(180_000);

/**
 * A company's server, behind a certificate of the company's own authority: a package index, a git
 * repository and a page.
 */
const ADDRESS = '127.0.78.1';
/** RCODE 3 of RFC 1035. */
const NO_SUCH_NAME = 3;

/** A wheel with one program, `hello-mirror`, and the page of the index that leads to it. */
const MAKE_WHEEL = `
import os, zipfile
os.makedirs('simple/hello-mirror')
info = 'hello_mirror-1.0.dist-info/'
with zipfile.ZipFile('hello_mirror-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('hello_mirror.py', "def main():\\n    print('hello from the mirror')\\n")
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: hello-mirror\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'entry_points.txt', '[console_scripts]\\nhello-mirror = hello_mirror:main\\n')
    wheel.writestr(info + 'RECORD', '')
with open('simple/hello-mirror/index.html', 'w') as page:
    page.write('<!DOCTYPE html><a href="../../hello_mirror-1.0-py3-none-any.whl">hello_mirror-1.0-py3-none-any.whl</a>')
`;

/** A repository that git reads without a program at the server. */
const MAKE_REPOSITORY = `
git init -q work && cd work && echo from git > file && git add file
git -c user.name=a -c user.email=a@b.test commit -qm first
cd .. && git clone -q --bare work repository.git && git -C repository.git update-server-info
`;

let files: string;
let server: Server;
let dns: DnsServer;
let deployment: TestDeployment;
let authorityFile: string;
let env: Env;

beforeAll(async () => {
  files = mkdtempSync(join(tmpdir(), 'mirror-'));
  execFileSync('python3', ['-c', MAKE_WHEEL], { cwd: files });
  execFileSync('sh', ['-ec', MAKE_REPOSITORY], { cwd: files, stdio: 'pipe' });
  writeFileSync(join(files, 'page'), 'a page\n');
  const { authority, ...certificate } = certificateOfAuthority('mirror.test');
  authorityFile = join(files, 'authority.pem');
  writeFileSync(authorityFile, authority);
  server = createServer(certificate, (request, response) => {
    let path = join(files, normalize(new URL(request.url!, 'https://mirror.test').pathname));
    if (path.endsWith('/')) path += 'index.html';
    const isFile = existsSync(path) && statSync(path).isFile();
    response.statusCode = isFile ? 200 : 404;
    if (path.endsWith('.html')) response.setHeader('Content-Type', 'text/html');
    response.end(isFile ? readFileSync(path) : 'nothing there\n');
  });
  await once(server.listen(443, ADDRESS), 'listening');
  dns = await startDnsServer((name, type) => {
    if (name !== 'mirror.test') return { records: [], code: NO_SUCH_NAME };
    return { records: type === 'A' ? [{ type, data: ADDRESS, ttl: 1 }] : [] };
  });
  deployment = new TestDeployment();
  env = {
    EGRESS_MIRRORS: ['pypi=https://mirror.test/simple/', 'npm=https://mirror.test/npm/', 'cargo=https://mirror.test/cargo/'].join(','),
    EGRESS_CA_FILE: authorityFile,
    EGRESS_DNS: dns.address,
    EGRESS_PRIVATE: ADDRESS,
  };
});
afterAll(async () => {
  await deployment?.removeAll();
  dns?.close();
  server?.close();
  server?.closeAllConnections();
  rmSync(files, { recursive: true, force: true });
});

/** Commands as they are typed anywhere, each with its whole answer. */
const ROWS: [command: string, stdout: string][] = [
  ['curl -sS https://mirror.test/page', 'a page\n'],
  ['wget -qO- https://mirror.test/page', 'a page\n'],
  [`python3 -c "import urllib.request as u; print(u.urlopen('https://mirror.test/page').read())"`, "b'a page\\n'\n"],
  ['rm -rf ~/.local; pip install -q --disable-pip-version-check hello-mirror 2>/dev/null; hello-mirror', 'hello from the mirror\n'],
  ['rm -rf r; git clone -q https://mirror.test/repository.git r && cat r/file', 'from git\n'],
  ['cat $APT_CONFIG', 'Acquire::https::CAInfo "/run/surroundings/ca-bundle.pem";\n'],
  ['grep -c BEGIN /run/surroundings/ca.pem; head -c 4 /run/surroundings/truststore.jks | od -An -tx1', '1\n fe ed fe ed\n'],
  ['cat $NODE_EXTRA_CA_CERTS | cmp - /run/surroundings/ca.pem; echo $NPM_CONFIG_REGISTRY', 'https://mirror.test/npm/\n'],
  ['grep registry /.cargo/config.toml', 'registry = "sparse+https://mirror.test/cargo/"\n'],
  ['ls -A', ''],
];

const transports = TEST_CHANNEL_DIRECTORY === '' ? ['exec'] : ['direct', 'exec'];

describe.each(transports)('With mirrors and an authority of the operator, by the channel %s,', (transport) => {
  let service: Service;
  let alice: Client;

  const start = async (): Promise<void> => {
    service = await Service.start({ deployment, env: { ...env, ...(transport === 'exec' && { CHANNEL_DIRECTORY: '' }) } });
    alice = service.client(ALICE);
  };
  const run = (session: string, command: string): Promise<Executed> => alice.run(`${transport}-${session}`, command, { timeout: 110 });

  beforeAll(start);
  afterAll(() => service?.stop());

  it.each(ROWS)('answers as on a developer’s machine when a command is %j', async (command, stdout) => {
    const session = command === 'ls -A' ? 'empty' : 'rows';
    expect(await run(session, command)).toMatchObject({ stdout, exit_code: 0 });
  });

  it('trusts what the image trusts as well', async () => {
    const count = 'grep -hc BEGIN /etc/ssl/certs/ca-certificates.crt /run/surroundings/ca-bundle.pem || true';
    const [image, bundle] = (await run('rows', `[ -e /etc/ssl/certs/ca-certificates.crt ] || echo 0; ${count}`)).stdout
      .split('\n')
      .map(Number);
    expect(bundle).toBeGreaterThan(image!);
    expect(bundle).toBeGreaterThan(50);
  });

  it('reaches no mirror when the session’s own rules have none', async () => {
    const session_id = `${transport}-none`;
    expect((await alice.request('POST', '/sessions', { session_id, network: { allow: [] } })).status).toBe(200);
    expect(await run('none', 'curl -sS https://mirror.test/page')).toMatchObject({ stdout: '', exit_code: 6 });
  });

  it('says in the session’s rules what it may reach', async () => {
    await run('rules', 'true');
    expect((await alice.request('GET', `/sessions/${transport}-rules/network`)).body).toMatchObject({
      allow: ['mirror.test:443'],
      is_default: true,
    });
  });

  it('has the files again when the sandbox was started again', async () => {
    const { container_id } = await run('again', 'true');
    await docker.getContainer(container_id).restart({ t: 0 });
    expect(await run('again', 'curl -sS https://mirror.test/page')).toMatchObject({ stdout: 'a page\n', session_restarted: true });
  });

  it('has the files again when a command has removed them and the API was started again', async () => {
    await run('removed', 'rm -r /run/surroundings/* /.cargo/*');
    expect((await run('removed', 'curl -sS https://mirror.test/page')).exit_code).not.toBe(0);
    await service.stop();
    await start();
    const { stdout } = await run('removed', 'ls /.cargo /run/surroundings');
    expect(stdout).toBe('/.cargo:\nconfig.toml\n\n/run/surroundings:\napt.conf\nca-bundle.pem\nca.pem\ntruststore.jks\nwgetrc\n');
  });

  it('goes on without the files when a command has filled their place', async () => {
    await run('filled', 'rm -r /run/surroundings/*; head -c 9m /dev/zero > /run/surroundings/x');
    await service.stop();
    await start();
    expect(await run('filled', 'echo goes on')).toMatchObject({ stdout: 'goes on\n', session_created: false });
    await eventually('it is logged', async () => service.child.output.includes('without the files of mirrors and certificates'));
  });
});

it('leaves a sandbox as ever when neither is set', async () => {
  const service = await Service.start({ deployment });
  try {
    const command = 'ls -d /run/surroundings /.cargo; env | grep -E "CERT|CA_|_CA|REGISTRY|INDEX|PROXY|JAVA|WGETRC|APT"';
    expect(await service.client(ALICE).run('bare', command)).toMatchObject({ stdout: '', exit_code: 1 });
  } finally {
    await service.stop();
  }
});

it.each([
  ['a file that is not there', { EGRESS_CA_FILE: '/absent.pem' }, 'EGRESS_CA_FILE must name a file that can be read (ENOENT)'],
  ['a URL with a password', { EGRESS_MIRRORS: 'npm=https://a:b@mirror.test/' }, 'no user and no password'],
])('does not start, and says why, when it is given %s', async (_what, wrong, reason) => {
  await expect(Service.start({ deployment, env: wrong })).rejects.toThrow(reason);
});
