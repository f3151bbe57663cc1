import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Resolver } from 'node:dns/promises';
import { certificateFor } from '../../support/network/certificate';
import { type DnsServer, startDnsServer } from '../../support/network/dns-server';
import { gitOverHttp } from '../../support/network/git-over-http';
import { putNode } from '../../support/network/node-tools';
import { startPostgres } from '../../support/network/postgres-server';
import { addressesOf, aptSources, type CaFile, PREPARE_APT, ruleOf, writeCaFile } from '../../support/network/registries';
import { type SshServer, startSshServer } from '../../support/network/ssh-server';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, type Client, type Executed, Service } from '../../support/service/service';

/** A slow machine, and slow downloads. */
jest.setTimeout(900_000);

/** Where the servers of this test are. */
const [WEB, SSH, DATABASE] = ['127.0.77.11', '127.0.77.12', '127.0.77.13'];
const ZONE: Readonly<Record<string, string>> = {
  'web.test': WEB,
  'git.test': WEB,
  'pypi.test': WEB,
  'ssh.test': SSH,
  'db.test': DATABASE,
};
const PASSWORD = 'database-password';

/** Programs that the image lacks: ssh, psql, Java, and gron, which is written in Go. */
const PACKAGES = 'openssh-client postgresql-client default-jre-headless gron';

/**
 * Unpacks packages below ~/root. Some of their links name files by their place in an installed
 * system. PATH and libraries come from there, for commands that read ~/env first.
 */
const UNPACK = `
for package in apt/archives/*.deb; do dpkg -x "$package" root; done
find root -xtype l | while read -r link; do
  target=$(readlink "$link")
  [ ! -e "root$target" ] || ln -sfn "$HOME/root$target" "$link"
done
java=$(ls -d ~/root/usr/lib/jvm/java-*-openjdk-*/bin | tail -n 1)
cat > env <<END
PATH=~/.local/bin:$java:$(echo ~/root/usr/lib/postgresql/*/bin):~/root/usr/bin:$PATH
export LD_LIBRARY_PATH=$(echo ~/root/lib/*-linux-gnu ~/root/usr/lib/*-linux-gnu | tr ' ' :)
END`;

/** Fetches a page with both of Java's clients, and prints both. */
const JAVA = `
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class Fetch {
  public static void main(String[] arguments) throws Exception {
    URI uri = URI.create(arguments[0]);
    System.out.println(new String(uri.toURL().openStream().readAllBytes()));
    System.out.println(HttpClient.newHttpClient().send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString()).body());
  }
}`;

/** Makes a wheel with one program, `hello-index`. */
const WHEEL = `
import sys, zipfile
info = 'hello_index-1.0.dist-info/'
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('hello_index.py', "def main():\\n    print('hello from an index')\\n")
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: hello-index\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'entry_points.txt', '[console_scripts]\\nhello-index = hello_index:main\\n')
    wheel.writestr(info + 'RECORD', '')
`;

const WHEEL_NAME = 'hello_index-1.0-py3-none-any.whl';
const COMMIT = 'echo more > more && git add more && git commit -qm second && git push -q origin HEAD';
const FETCH = 'https://web.test/';
const PAGE = '{"answer": 42}';

/** Each row is what a user types, and all that it prints. */
const ROWS: readonly [title: string, command: string, stdout: string][] = [
  ['curl', `curl -sS ${FETCH}`, PAGE],
  ['wget', `wget -qO- ${FETCH}`, PAGE],
  ['Python', `python3 -c 'import urllib.request as u; print(u.urlopen("${FETCH}").read().decode())'`, `${PAGE}\n`],
  ['Node’s fetch', `node -e 'fetch("${FETCH}").then((answer) => answer.text()).then(console.log)'`, `${PAGE}\n`],
  ['a program in Go', `gron ${FETCH}`, 'json = {};\njson.answer = 42;\n'],
  ['a program in Go that asks for names by itself', `GODEBUG=netdns=go gron ${FETCH}`, 'json = {};\njson.answer = 42;\n'],
  ['Java', `java Fetch.java ${FETCH} 2> java.log || cat java.log`, `${PAGE}\n${PAGE}\n`],
  ['pip', 'pip install -q hello-index && hello-index', 'hello from an index\n'],
  [
    'pip in a virtual environment',
    'python3 -m venv v && . v/bin/activate && pip install -q hello-index && command -v hello-index',
    '/workspace/v/bin/hello-index\n',
  ],
  ['git over https', `git clone -q https://git.test/one.git && cd one && ls && ${COMMIT} && git ls-remote origin | wc -l`, 'first\n2\n'],
  [
    'git over ssh',
    `git clone -q ssh://git@ssh.test:SSH_PORT/REPOSITORIES/two.git && cd two && ls && ${COMMIT} && git ls-remote origin | wc -l`,
    'first\n2\n',
  ],
  [
    'psql, with TLS from within its protocol',
    `PGPASSWORD=${PASSWORD} psql "host=db.test user=agent dbname=postgres sslmode=verify-full sslrootcert=$SSL_CERT_FILE" -Atc 'select 6 * 7, ssl from pg_stat_ssl where pid = pg_backend_pid()'`,
    '42|t\n',
  ],
];

describe('Servers of an operator’s own, from a session with a disk,', () => {
  const deployment = new TestDeployment();
  const repositories = mkdtempSync(join(tmpdir(), 'sandbox-git-'));
  const certificate = certificateFor(...Object.keys(ZONE));
  const stops: (() => unknown)[] = [];
  let ssh: SshServer;
  let service: Service;
  let alice: Client;

  /** Runs a command, without a network if that refuses something. */
  const run = async (command: string): Promise<Executed & { network_denied?: object[] }> => alice.run('tools', command, { timeout: 280 });
  const succeed = async (command: string): Promise<void> => {
    expect(await run(command)).toMatchObject({ exit_code: 0, timed_out: false });
  };
  const put = async (path: string, content: string): Promise<void> => {
    expect((await alice.request('PUT', alice.workspace('tools', path, true), { content })).status).toBe(204);
  };
  const lastCommit = (name: string): string =>
    execFileSync('git', ['-C', join(repositories, name), 'log', '-1', '--format=%s', 'main'], { encoding: 'utf8' });

  beforeAll(async () => {
    for (const name of ['one.git', 'two.git']) makeRepository(join(repositories, name));
    const wheel = join(repositories, WHEEL_NAME);
    execFileSync('python3', ['-c', WHEEL, wheel]);
    const web = createServer(certificate, serveByHost(repositories, readFileSync(wheel))).listen(443, WEB);
    await once(web, 'listening');
    stops.push(() => closeServer(web));
    const dns = await startNames();
    stops.push(() => dns.close());
    ssh = await startSshServer(SSH);
    stops.push(ssh.stop);
    const postgres = await startPostgres(DATABASE, PASSWORD, certificate);
    stops.push(postgres.stop);
    const certificates: CaFile = writeCaFile(certificate.cert);
    stops.push(certificates.remove);

    const settings = {
      EGRESS_ALLOW: `*,ssh.test:${ssh.port},db.test:5432`,
      EGRESS_DNS: dns.address,
      EGRESS_MIRRORS: 'pypi=https://pypi.test/simple',
      EGRESS_CA_FILE: certificates.path,
      MAX_SESSION_DISK: '2g',
      MAX_SESSION_MEMORY: '1g',
      MAX_SESSION_CPUS: String(availableParallelism()),
      MAX_EXEC_TIMEOUT_SECONDS: '280',
      WORKSPACE_MAX_FILE_SIZE_BYTES: '0',
      ARCHIVE_MAX_BYTES: String(1024 ** 3),
    };
    const start = (addresses: string[]) =>
      Service.start({ deployment, env: { ...settings, EGRESS_PRIVATE: [WEB, SSH, DATABASE, ...addresses].join(',') } });
    // What apt in the image is set to is known once a sandbox has told it.
    service = await start([]);
    const sources = await aptSources(service.client(ALICE), 'sources');
    await service.stop();
    service = await start(await addressesOf(sources.map(({ hostname }) => hostname)));
    alice = service.client(ALICE);
    const allow = [...Object.keys(ZONE), `ssh.test:${ssh.port}`, 'db.test:5432', ...sources.map(ruleOf)];
    const room = { disk: '2g', memory: '1g', cpus: availableParallelism() };
    expect(await alice.request('POST', '/sessions', { session_id: 'tools', ...room, network: { allow } })).toMatchObject({ status: 200 });
    await putNode(alice, 'tools');
    await succeed(PREPARE_APT);
    await succeed(`apt-get -c apt/settings -q -y --download-only --no-install-recommends install ${PACKAGES}`);
    await succeed(UNPACK);
    await put('Fetch.java', JAVA);
    await put('.ssh/id_ed25519', ssh.privateKey);
    await put('.ssh/known_hosts', `[ssh.test]:${ssh.port} ${ssh.publicHostKey}\n`);
    await succeed('chmod 600 .ssh/id_ed25519');
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
    for (const stop of stops) await stop();
    rmSync(repositories, { recursive: true, force: true });
  });

  it.each(ROWS)('are reached by %s, without a setting', async (_, command, stdout) => {
    const filled = command.replace('SSH_PORT', String(ssh.port)).replace('/REPOSITORIES', repositories);
    const told = await run(`. ~/env; ${filled}`);
    expect({ stdout: told.stdout, stderr: told.stderr, exit_code: told.exit_code }).toEqual({ stdout, stderr: '', exit_code: 0 });
    expect(told).not.toHaveProperty('network_denied');
  });

  it('get what git pushes', () => {
    expect(['one.git', 'two.git'].map(lastCommit)).toEqual(['second\n', 'second\n']);
  });

  it('are reached without any variable of a proxy', async () => {
    expect((await run('env | grep -i proxy')).stdout).toBe('');
  });

  it('are listed with the bytes that they got and sent', async () => {
    const { body } = await alice.request<{ connections: { host: string; port: number; bytes_in: number; bytes_out: number }[] }>(
      'GET',
      '/sessions/tools/network',
    );
    const used = body.connections.filter(({ bytes_in, bytes_out }) => bytes_in > 0 && bytes_out > 0);
    const reached = used.map(({ host, port }) => `${host}:${port}`);
    expect(reached).toEqual(
      expect.arrayContaining(['web.test:443', 'git.test:443', 'pypi.test:443', `ssh.test:${ssh.port}`, 'db.test:5432']),
    );
  });
});

/** Makes a repository with one commit, to which anybody may push who gets in. */
function makeRepository(path: string): void {
  const git = (...args: string[]): void => {
    const identity = ['-c', 'user.name=test', '-c', 'user.email=test@localhost'];
    execFileSync('git', [...identity, ...args], { stdio: 'pipe' });
  };
  const work = `${path}.work`;
  git('init', '-q', '-b', 'main', work);
  writeFileSync(join(work, 'first'), 'first\n');
  git('-C', work, 'add', 'first');
  git('-C', work, 'commit', '-qm', 'first');
  git('clone', '-q', '--bare', work, path);
  rmSync(work, { recursive: true });
}

/** Serves a page, git repositories, and an index of one package (PEP 503), each under its name. */
function serveByHost(repositories: string, wheel: Buffer): RequestListener {
  const hosts: Readonly<Record<string, RequestListener>> = {
    'web.test': (_, response) => response.end(PAGE),
    'git.test': gitOverHttp(repositories),
    'pypi.test': ({ url }, response) => {
      if (url === '/simple/hello-index/') response.setHeader('Content-Type', 'text/html').end(`<a href="/${WHEEL_NAME}">${WHEEL_NAME}</a>`);
      else if (url === `/${WHEEL_NAME}`) response.end(wheel);
      else response.writeHead(404).end();
    },
  };
  return (request, response) => hosts[request.headers.host!]!(request, response);
}

/** Answers for the names of this test, and asks this machine's own servers for all others. */
function startNames(): Promise<DnsServer> {
  const resolver = new Resolver();
  return startDnsServer(async (name, type) => {
    if (type !== 'A') return { records: [] };
    const own = ZONE[name];
    const addresses = own !== undefined ? [own] : await resolver.resolve4(name).catch(() => []);
    return { records: addresses.map((data) => ({ type, data })) };
  });
}

async function closeServer(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
}
