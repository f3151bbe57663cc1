import { Cluster, REPLICATED } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import { docker } from '../support/service/deployment';

jest.setTimeout(120_000);

describe('POST /execute', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED, { EXEC_MAX_OUTPUT_BYTES: '4096', MAX_EXEC_TIMEOUT_SECONDS: '20' });
  });
  afterAll(() => cluster?.stop());

  it('answers both streams, the exit code and the container when a command ends', async () => {
    const { status, body } = await cluster.alice.execute('basic', 'echo out; echo err >&2; exit 3');
    expect(status).toBe(200);
    expect(body).toEqual({
      stdout: 'out\n',
      stderr: 'err\n',
      exit_code: 3,
      execution_time: expect.any(Number),
      container_id: expect.stringMatching(/^[0-9a-f]{12}$/),
      timed_out: false,
      truncated: false,
      oom_killed: false,
      session_created: true,
      session_restarted: false,
    });
  });

  it.each([
    ['true', 0],
    ['exit 255', 255],
    ['sh -c "kill -9 \\$\\$"', 137],
    ['kill -15 $$', 143],
    ['./not-executable', 126],
    ['./nowhere', 127],
  ])('answers the shell’s exit code when the command is %j: %d', async (command, code) => {
    await cluster.alice.run('codes', 'echo x > not-executable');
    expect(await cluster.alice.run('codes', command)).toMatchObject({ exit_code: code, timed_out: false });
  });

  it('keeps files, but no directory and no variables, when another command follows', async () => {
    await cluster.alice.run('state', 'mkdir -p d && cd d && export V=1 && echo data > f');
    const { stdout } = await cluster.alice.run('state', 'pwd; echo "[$V]"; cat d/f');
    expect(stdout).toBe('/workspace\n[]\ndata\n');
  });

  it('gives a command only the documented variables when it runs', async () => {
    const image = await docker.getImage(process.env.SANDBOX_TEST_IMAGE ?? 'sandbox-api-agent:latest').inspect();
    const own = (image.Config.Env ?? []).map((entry) => entry.split('=')[0]!);
    const { stdout } = await cluster.alice.run('env', 'env', { env: { GREETING: 'a b=c\n$(id)' } });
    const names = [...stdout.matchAll(/^([A-Za-z_]+)=/gm)].map((match) => match[1]!);
    // The shell itself adds PWD, and some shells add _ and SHLVL.
    const installs = ['PIP_BREAK_SYSTEM_PACKAGES', 'NPM_CONFIG_PREFIX', 'CARGO_INSTALL_ROOT', 'GOBIN'];
    const caches = ['CARGO_HOME', 'GOPATH', 'GRADLE_USER_HOME', 'MAVEN_OPTS'];
    const shell = ['PWD', 'OLDPWD', '_', 'SHLVL'];
    const expected = new Set(['PATH', 'HOME', 'LANG', 'PYTHONUNBUFFERED', ...installs, ...caches, 'GREETING', ...shell, ...own]);
    expect(names.filter((name) => !expected.has(name))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['PATH', 'HOME', 'LANG', 'GREETING']));
    expect(stdout).toContain('HOME=/workspace\n');
    expect(stdout).toContain('LANG=C.UTF-8\n');
    expect(stdout).toContain('PYTHONUNBUFFERED=1\n');
    expect(stdout).toContain('GREETING=a b=c\n$(id)\n');
  });

  it('gives a command /dev/null when there is no stdin', async () => {
    const text = 'é\n'.repeat(300_000);
    const { stdout } = await cluster.alice.run('stdin', 'wc -c; wc -c < /dev/null', { stdin: text });
    expect(stdout.split(/\s+/).filter(Boolean)).toEqual([String(Buffer.byteLength(text)), '0']);
    expect((await cluster.alice.run('stdin', 'cat; readlink /proc/self/fd/0')).stdout).toBe('/dev/null\n');
    // A command need not read all of its stdin.
    expect(await cluster.alice.run('stdin', 'head -c 2', { stdin: text })).toMatchObject({ stdout: 'é', exit_code: 0 });
  });

  it('runs in working_dir, below /workspace, when it is relative', async () => {
    await cluster.alice.run('dirs', 'mkdir -p "a b/c"; echo x > file');
    expect((await cluster.alice.run('dirs', 'pwd', { working_dir: 'a b/c' })).stdout).toBe('/workspace/a b/c\n');
    expect((await cluster.alice.run('dirs', 'pwd', { working_dir: '/tmp' })).stdout).toBe('/tmp\n');
    for (const working_dir of ['missing', 'file', '/root/x']) {
      const answer = await cluster.alice.execute('dirs', 'pwd', { working_dir });
      expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_WORKING_DIR' } });
      expect(answer.body.detail).not.toMatch(/OCI|runc|chdir/);
    }
  });

  it('runs bash when it is asked for', async () => {
    const { stdout } = await cluster.alice.run('bash', 'a=(1 2 3); echo ${#a[@]} $BASH_VERSION', { shell: 'bash' });
    expect(stdout).toMatch(/^3 \d/);
  });

  it('keeps the beginning and the end when output is too long', async () => {
    const result = await cluster.alice.run('cut', 'seq 1 100000; seq 1 5 >&2');
    expect(result.truncated).toBe(true);
    expect(result.stdout.startsWith('1\n2\n3\n')).toBe(true);
    expect(result.stdout.endsWith('\n99999\n100000\n')).toBe(true);
    const omitted = /\n\[\.\.\. (\d+) bytes omitted \.\.\.\]\n/.exec(result.stdout)!;
    const whole = Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join('').length;
    expect(Number(omitted[1]) + result.stdout.length - omitted[0].length).toBe(whole);
    expect(result.stderr).toBe('1\n2\n3\n4\n5\n');
  });

  it('answers U+FFFD, or exact base64, when output is no UTF-8', async () => {
    const command = "printf 'a\\377b'";
    expect((await cluster.alice.run('bytes', command)).stdout).toBe('a\ufffdb');
    const { stdout } = (await cluster.alice.execute('bytes', command, { encoding: 'base64' })).body;
    expect(Buffer.from(stdout, 'base64')).toEqual(Buffer.from([0x61, 0xff, 0x62]));
  });

  it('answers when the shell ends, although a background child holds the pipe', async () => {
    const result = await cluster.alice.run('background', 'sleep 300 & echo started', { timeout: 10 });
    expect(result).toMatchObject({ stdout: 'started\n', exit_code: 0, timed_out: false });
    expect((await cluster.alice.run('background', 'pgrep -x sleep -a | grep -c "sleep 300"')).stdout).toBe('1\n');
  });

  it('lets a background process write when its command has ended', async () => {
    await cluster.alice.run('writer', '(i=0; while :; do i=$((i+1)); echo line $i; echo $i > count; sleep 0.05; done) &');
    const count = async (): Promise<number> => Number((await cluster.alice.run('writer', 'cat count')).stdout);
    const first = await eventually('it writes', () => count().catch(() => 0));
    await eventually('it goes on', async () => (await count()) > first + 5);
  });

  it('runs commands side by side when they are of one session', async () => {
    // Each waits for the other: one after the other, both would run out of time.
    const meet = (mine: string, other: string): Promise<unknown> =>
      cluster.alice.run('parallel', `touch ${mine}; while [ ! -e ${other} ]; do sleep 0.02; done; echo met`, { timeout: 15 });
    const results = await Promise.all([meet('a', 'b'), meet('b', 'a')]);
    for (const result of results) expect(result).toMatchObject({ stdout: 'met\n', timed_out: false });
  });

  it('ends a command when its client goes away', async () => {
    await cluster.alice.run('gone', 'true');
    const abort = new AbortController();
    const call = cluster.alice.execute('gone', 'touch started; sleep 299', {}, { signal: abort.signal });
    call.catch(() => undefined);
    await eventually('the command runs', async () => (await cluster.alice.run('gone', 'test -e started')).exit_code === 0);
    abort.abort();
    await eventually('it is dead', async () => (await cluster.alice.run('gone', 'pgrep -f "^sleep 299"')).exit_code === 1);
  });

  it('says session_restarted once when the sandbox had to be replaced', async () => {
    const { container_id } = await cluster.alice.run('restart', 'echo x > file');
    await cluster.deployment.removeContainer(container_id);
    const anew = await cluster.alice.run('restart', 'ls');
    expect(anew).toMatchObject({ stdout: '', session_restarted: true });
    expect(anew.container_id).not.toBe(container_id);
    for (let i = 0; i < 3; i++) expect((await cluster.alice.run('restart', 'true')).session_restarted).toBe(false);
    await cluster.deployment.removeContainer(anew.container_id);
    // The answer of a file call has no field for a restart. So the next command reports it.
    const listed = await cluster.alice.request<{ entries: unknown[] }>('GET', cluster.alice.workspace('restart'));
    expect(listed.body.entries).toEqual([]);
    const answers = await Promise.all(Array.from({ length: 4 }, () => cluster.alice.run('restart', 'true')));
    expect(answers.filter(({ session_restarted }) => session_restarted)).toHaveLength(1);
  });
});
