import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, type Client, Service } from '../support/service/service';

jest.setTimeout(180_000);

const MAIN = resolve(__dirname, '../../dist/apps/cli/src/main.js');

interface Ended {
  stdout: string;
  stderr: string;
  code: number | null;
}

describe('The command `sandbox`', () => {
  const home = mkdtempSync(join(tmpdir(), 'sandbox-cli-'));
  const deployment = new TestDeployment();
  let service: Service;
  let alice: Client;

  beforeAll(async () => {
    service = await Service.start({ deployment, env: { MAX_SESSION_MEMORY: '512m' } });
    alice = service.client(ALICE);
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
    rmSync(home, { recursive: true, force: true });
  });

  const start = (args: readonly string[], env: Record<string, string> = { SANDBOX_API_KEY: ALICE }, input?: string | Buffer) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home, SANDBOX_URL: service.url, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    if (input !== undefined) child.stdin!.on('error', () => undefined).end(input);
    const ended = new Promise<Ended>((resolve_) => {
      const out: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const) child[name]!.setEncoding('latin1').on('data', (text) => (out[name] += text));
      child.on('close', (code) => resolve_({ ...out, code }));
    });
    return { child, ended };
  };
  const sandbox = (...args: string[]): Promise<Ended> => start(args).ended;

  it('runs a command, with its output and exit status as its own', async () => {
    expect(await sandbox('exec', 'echo out; echo err >&2; exit 3')).toEqual({ stdout: 'out\n', stderr: 'err\n', code: 3 });
    expect(await sandbox('exec', '-w', '/tmp', '-e', 'A=b c', 'sh', '-c', 'pwd; echo "$A"')).toMatchObject({
      stdout: '/tmp\nb c\n',
      code: 0,
    });
    expect(await sandbox('exec', '--timeout', '1', 'sleep 60')).toMatchObject({ code: 124, stderr: expect.stringContaining('--timeout') });
    const { stdout, code } = await sandbox('exec', '--json', 'echo a; exit 2');
    expect([code, JSON.parse(stdout)]).toMatchObject([2, { stdout: 'a\n', exitCode: 2 }]);
    expect(await sandbox('exec', 'shutdown')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('COMMAND_NOT_ALLOWED'),
    });
  });

  it('pipes bytes through a command', async () => {
    const bytes = randomBytes(3_000_000);
    const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
    const piped = await start(['exec', 'tee copy'], undefined, bytes).ended;
    expect([piped.code, piped.stderr, sha256(Buffer.from(piped.stdout, 'latin1'))]).toEqual([0, '', sha256(bytes)]);
    expect((await sandbox('exec', 'sha256sum < copy')).stdout).toBe(`${sha256(bytes)}  -\n`);
    // A program need not read all of its input.
    expect((await start(['exec', 'head -c 3; exit 5'], undefined, bytes).ended).code).toBe(5);
    expect((await alice.request<{ jobs: [] }>('GET', '/sessions/default/jobs')).body.jobs).toEqual([]);
  });

  it('ends the remote command when it is interrupted', async () => {
    for (const input of [undefined, '']) {
      const { child, ended } = start(['exec', 'echo $$ > pid; sleep 600'], undefined, input);
      await eventually('it runs', async () => (await sandbox('exec', 'test -s pid')).code === 0);
      child.kill('SIGINT');
      expect((await ended).code).toBe(130);
      const gone = 'for i in $(seq 300); do kill -0 $(cat pid) 2> /dev/null || break; sleep 0.1; done; kill -0 $(cat pid); rm pid';
      expect((await sandbox('exec', gone)).stderr).toMatch(/no such process/i);
    }
  });

  it('copies files and directories both ways', async () => {
    const at = (path: string): string => join(home, path);
    mkdirSync(at('d/sub'), { recursive: true });
    writeFileSync(at('d/sub/f'), 'deep\n');
    chmodSync(at('d/sub/f'), 0o755);
    symlinkSync('f', at('d/sub/l'));
    writeFileSync(at('big'), randomBytes(3_000_000));
    for (const args of [
      ['d', 'c:copy'],
      ['d', 'c:copy'], // into it
      ['big', 'c:'],
      ['c:copy', 'back'],
      ['c:big', 'big-back'],
      ['c:big', 'd'],
    ])
      expect(await sandbox('cp', ...args)).toEqual({ stdout: '', stderr: '', code: 0 });
    expect((await sandbox('-s', 'c', 'ls', '--depth', '9')).stdout.split('\n')).toEqual(
      expect.arrayContaining(['big', 'copy/', 'copy/sub/f', 'copy/sub/l', 'copy/d/sub/f']),
    );
    expect(readFileSync(at('back/sub/l'), 'utf8')).toBe('deep\n');
    expect(statSync(at('back/sub/f')).mode & 0o111).toBe(0o111);
    for (const path of ['big-back', 'd/big']) expect(readFileSync(at(path)).equals(readFileSync(at('big')))).toBe(true);
    expect(await sandbox('cp', 'a', 'b')).toMatchObject({ code: 2, stderr: expect.stringContaining('SESSION:PATH') });
    expect(await sandbox('cp', 'nothing', 'c:')).toMatchObject({ code: 2, stderr: expect.stringContaining('no nothing here') });
  });

  it('lists, prints, edits and deletes files', async () => {
    await alice.request('PUT', '/sessions/default/workspace/content?path=e', { content: 'one\n' });
    expect((await start(['edit', 'e'], { SANDBOX_API_KEY: ALICE, EDITOR: 'sed -i s/one/two/' }).ended).code).toBe(0);
    expect((await sandbox('cat', 'e')).stdout).toBe('two\n');
    const spoil = `sh -c 'node ${MAIN} exec "echo three > e"; echo mine > "$0"'`;
    const conflict = await start(['edit', 'e'], { SANDBOX_API_KEY: ALICE, EDITOR: spoil }).ended;
    expect(conflict).toMatchObject({ code: 2, stderr: expect.stringMatching(/Your version is in (\S+)\./) });
    expect(readFileSync(/version is in (\S+)\.\n/.exec(conflict.stderr)![1]!, 'utf8')).toBe('mine\n');
    expect(JSON.parse((await sandbox('ls', '--json')).stdout)).toContainEqual(expect.objectContaining({ name: 'e', type: 'file' }));
    await sandbox('rm', 'e');
    expect(await sandbox('cat', 'e')).toMatchObject({ code: 1, stderr: expect.stringContaining('NOT_FOUND') });
  });

  it('makes, lists and removes sessions', async () => {
    const made = await sandbox('-s', 'new', 'new', '--memory', '300m', '--metadata', 'a=b', '-e', 'X=y', '--ttl', '120');
    expect(made).toEqual({ stdout: 'new\n', stderr: '', code: 0 });
    expect((await sandbox('-s', 'new', 'exec', 'echo $X')).stdout).toBe('y\n');
    expect((await sandbox('sessions')).stdout).toMatch(/^SESSION .*\n[^]*^new +sandbox-api/m);
    expect(JSON.parse((await sandbox('sessions', '--json')).stdout)).toContainEqual(
      expect.objectContaining({ sessionId: 'new', memory: '300m', ttlSeconds: 120, metadata: { a: 'b' } }),
    );
    const small = await sandbox('-s', 'small', 'new', '--memory', '1m');
    expect(small).toMatchObject({ code: 1, stderr: expect.stringMatching(/^sandbox: +memory must be a size from/m) });
    expect(await sandbox('-s', 'new', 'new', '--memory', '400m')).toMatchObject({ code: 2, stderr: expect.stringContaining('kill') });
    expect((await sandbox('-s', 'new', 'kill')).code).toBe(0);
    expect((await sandbox('sessions')).stdout).not.toContain('new');
  });

  it('shows jobs, their output, ports and the network', async () => {
    const { body } = await alice.request<{ job_id: string }>('POST', '/sessions/default/jobs', {
      command: 'echo begun; echo page > index.html; python3 -m http.server 8080 > /dev/null 2>&1',
    });
    await eventually('it has begun', async () => (await sandbox('logs', body.job_id)).stdout === 'begun\n');
    expect((await sandbox('jobs')).stdout).toContain(body.job_id);
    await eventually('it listens', async () => (await sandbox('ports')).stdout.includes('8080'));
    expect((await sandbox('ports', 'open', '8080')).stdout).toMatch(/^http:\/\/8080-\w{32}\.localhost:\d+\/\n$/);
    expect((await sandbox('ports', 'close', '8080')).code).toBe(0);
    expect(await sandbox('network', 'check', 'example.com')).toMatchObject({
      code: 1,
      stdout: '{"allowed":false,"reason":"name_not_allowed"}\n',
    });
    const following = start(['logs', '-f', body.job_id]);
    await alice.request('POST', `/sessions/default/jobs/${body.job_id}/signal`, { signal: 'SIGKILL' });
    expect(await following.ended).toMatchObject({ stdout: 'begun\n', code: 0 });
  });

  it('tells whether a command may run', async () => {
    expect(await sandbox('policy', 'check', 'ls | wc -l')).toEqual({ stdout: 'allowed\n', stderr: '', code: 0 });
    const refused = await sandbox('policy', 'check', 'ls | pyton');
    expect(refused).toMatchObject({ code: 1, stderr: '' });
    expect(Buffer.from(refused.stdout, 'latin1').toString()).toMatch(
      /^not allowed: “pyton” \(line 1, column 6\)\n.*list of allowed programs.*\nsimilar, and allowed: python\b/,
    );
    const asked = await sandbox('policy', 'check', '--json', 'pyton', '-c', '1');
    expect([asked.code, JSON.parse(asked.stdout)]).toMatchObject([1, { allowed: false, word: 'pyton', position: { column: 1 } }]);
  });

  it('tells what changes in a directory', async () => {
    const { child, ended } = start(['watch', '-r']);
    let told = '';
    child.stdout!.on('data', (text) => (told += String(text)));
    let notes = '';
    child.stderr!.on('data', (text) => (notes += String(text)));
    await eventually('it watches', async () => notes.includes('watching /workspace'));
    await sandbox('exec', 'mkdir seen && mv seen moved');
    await eventually('it is told', async () => told.includes('rename seen -> moved/\n'));
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
    expect(told).toMatch(/^create seen\/$/m);
    expect(await sandbox('watch', 'nowhere')).toMatchObject({ code: 1, stderr: expect.stringContaining('NOT_FOUND') });
  });

  it('makes tokens and keys for the operator', async () => {
    const secret = { JWT_SECRET: 'a secret of at least thirty-two bytes' };
    const { stdout, code } = await start(['token', '--sub', '-a b', '--minutes', '5'], secret).ended;
    const claims = JSON.parse(Buffer.from(stdout.split('.')[1]!, 'base64url').toString()) as { sub: string; iat: number; exp: number };
    expect([code, claims.sub, claims.exp - claims.iat]).toEqual([0, '-a b', 300]);
    expect(JSON.parse((await sandbox('token', '--key', '--json')).stdout)).toEqual({ apiKey: expect.stringMatching(/^e2b_[0-9a-f]{48}$/) });
    expect(await sandbox('token', '--sub', 'a')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('JWT_SECRET') });
    expect(await sandbox('token')).toMatchObject({ code: 2, stderr: expect.stringContaining('--key') });
  });

  it('opens a terminal', async () => {
    const command = `${process.execPath} ${MAIN} shell`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home, SANDBOX_URL: service.url, SANDBOX_API_KEY: ALICE },
    });
    let screen = '';
    child.stdout.on('data', (text) => (screen += String(text)));
    await eventually('there is a prompt', async () => /[$#] $/.test(screen));
    child.stdin.write('test -t 0 && echo $((6 * 7)); exit 4\r');
    const code = await new Promise((done) => child.on('close', done));
    expect([code, screen]).toEqual([4, expect.stringMatching(/^42\r?$/m)]);
    expect(await sandbox('shell')).toMatchObject({ code: 2, stderr: expect.stringContaining('sandbox exec') });
  });

  it('keeps a key that works, and says what to do about one that does not', async () => {
    const env = { XDG_CONFIG_HOME: join(home, 'config') };
    const none = await start(['sessions'], env).ended;
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('sandbox login') });
    expect(await start(['login'], env, 'wrong').ended).toMatchObject({ code: 1, stderr: expect.stringContaining('UNAUTHORIZED') });
    const login = await start(['login'], env, `${ALICE}\n`).ended;
    expect([login.code, login.stdout]).toEqual([0, `Kept in ${join(home, 'config/sandbox/settings.json')}.\n`]);
    expect((await start(['status'], env).ended).stdout).toContain('works:   yes');
    expect(await sandbox('--url', 'http://127.0.0.1:9', 'ls')).toMatchObject({ code: 1, stderr: expect.stringContaining('npm start') });
  });

  it('helps', async () => {
    expect((await sandbox('--help')).stdout).toContain('Examples:');
    expect(await sandbox('exce')).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean exec?') });
    expect(await sandbox('ports', 'open', 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('whole number') });
    for (const shell of ['bash', 'zsh', 'fish']) expect((await sandbox('completion', shell)).stdout).toContain('exec');
    const script = (await sandbox('completion', 'bash')).stdout;
    const complete = `${script}\nCOMP_WORDS=(sandbox ports o); COMP_CWORD=2; _sandbox; echo "\${COMPREPLY[@]}"`;
    const completed = spawn('bash', ['-c', complete]);
    let words = '';
    completed.stdout.on('data', (text) => (words += String(text)));
    await new Promise((done) => completed.on('close', done));
    expect(words).toBe('open\n');
  });
});
