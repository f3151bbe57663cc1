import { TEST_CLUSTER } from '../../support/cluster-under-test';
import { itOnHostKernel, UNDER_GVISOR } from '../../support/engine-under-test';
import { CommandService } from '../../support/service/commands';
import { Events } from '../../support/service/events';
import { eventually } from '../../support/service/processes';
import { tar } from '../../support/service/tar';

jest.setTimeout(300_000);

const MIB = 1024 ** 2;
const LIMIT_MIB = 64;
/** Far more than a disk writes in the time that PID 1 takes to notice. */
const MOST_MIB = 16 * 1024;
const DISK = { disk: `${LIMIT_MIB}m` };
const SETTINGS = {
  MAX_SESSION_DISK: '1g',
  ALLOW_PERSISTENT_SESSIONS: 'true',
  CONTAINER_CPU_QUOTA: '100000',
  WORKSPACE_MAX_FILE_SIZE_BYTES: '0',
};

/** What these tests read of answers. */
interface Answered {
  entries: { name: string }[];
  job_id: string;
  state: string;
  disk: string;
  container_id: string;
}

const python = (script: string): string => `python3 - <<'EOF'\n${script}\nEOF`;

/** Commands that never end by themselves, and write past the limit. */
const WRITERS: readonly [title: string, command: string][] = [
  ['one file', 'cat /dev/zero > big; sleep 600'],
  ['many small files', 'i=0; while :; do head -c 200000 /dev/zero > f$i; i=$((i+1)); done'],
  ['a file that is deleted and open', 'exec 3> gone; rm gone; cat /dev/zero >&3; sleep 600'],
  [
    'a sparse file with much in it',
    python('import os\nf = open("s", "wb")\nn = 0\nwhile True:\n f.seek(n << 24); f.write(bytes(1 << 20)); n += 1'),
  ],
  ['space that is reserved', 'fallocate -l 200M reserved; sleep 600'],
  ['ten processes at once', 'for i in 1 2 3 4 5 6 7 8 9 10; do cat /dev/zero > p$i & done; wait; sleep 600'],
  ['a process in the background, which left its session', 'setsid sh -c "cat /dev/zero > bg; sleep 600" > /dev/null 2>&1 & sleep 600'],
  ['directories in directories', python('import os\nwhile True:\n os.mkdir("d"); os.chdir("d"); open("f", "wb").write(bytes(200000))')],
  [
    'a directory that nobody may enter',
    'mkdir closed; exec 3> closed/big 4> closed/more; chmod 0 closed; head -c 40M /dev/zero >&3; cat /dev/zero >&4; sleep 600',
  ],
  [
    'a file, and a directory that was closed with much in it',
    'mkdir closed && head -c 60M /dev/zero > closed/a && chmod 0 closed && sleep 3 && head -c 10M /dev/zero > b; sleep 600',
  ],
  [
    'empty files without end',
    python('import os\nn = 0\nwhile True:\n os.mkdir("e%d" % n); n += 1\n for i in range(1000): open("e%d/%d" % (n - 1, i), "w").close()'),
  ],
];

/** It stops PID 1 too, which gVisor does not prevent. */
const STOPPER: (typeof WRITERS)[number] = [
  'a writer that stops every other process again and again',
  python(
    'import os, signal\nf = open("big", "wb")\nwhile True:\n for p in os.listdir("/proc"):\n  if p.isdigit() and int(p) != os.getpid():\n   try: os.kill(int(p), signal.SIGSTOP)\n   except OSError: pass\n f.write(bytes(1 << 20)); f.flush()',
  ),
];

describe('The service, for a session with a disk,', () => {
  let commands: CommandService;
  const request = (method: string, path: string, body?: object) => commands.rest.request<Answered>(method, path, body);
  const run = (session: string, command: string, more: object = {}) => commands.rest.run(session, command, { timeout: 120, ...more });
  const create = async (session_id: string, options: object = DISK) => {
    expect((await request('POST', '/sessions', { session_id, ...options })).status).toBe(200);
  };
  /** While a writer that was killed still ends its write, a command is ended too. */
  const used = (session: string): Promise<number> =>
    eventually('the size is told', async () => {
      const { body } = await commands.rest.execute(session, 'chmod -f 700 closed; du -sm .');
      return Number.parseInt((body as unknown as { stdout: string }).stdout, 10);
    });

  beforeAll(async () => {
    commands = await CommandService.start(SETTINGS);
  });
  afterAll(() => commands?.stop());

  it.each(UNDER_GVISOR ? WRITERS : [...WRITERS, STOPPER])(
    'ends the commands past the limit, and goes on when files are deleted: %s',
    async (title, command) => {
      const session = title;
      await create(session);
      const { body } = await commands.rest.execute(session, command, { timeout: 120 });
      // A writer that stops the agent may end with it.
      if ((body as { code?: string }).code !== 'SANDBOX_LOST') {
        expect(body).toMatchObject({ disk_limit: true, timed_out: false, exit_code: 137 });
      }
      expect(await used(session)).toBeLessThan(LIMIT_MIB + MOST_MIB);
      // A process that was killed while it wrote lives on until the kernel has ended that write.
      const writers = async () => (await run(session, 'pgrep -c "^(cat|head|fallocate)$"; pgrep -fc "^python3 -$"')).stdout;
      await eventually('the writers are gone', async () => (await writers()) === '0\n0\n');
      await eventually('the files are gone', async () => {
        const { body: listing } = await request('GET', `/sessions/${encodeURIComponent(session)}/workspace`);
        for (const { name } of listing.entries)
          await request('DELETE', `/sessions/${encodeURIComponent(session)}/workspace?path=${encodeURIComponent(name)}`);
        return (await run(session, 'ls -A | grep -v ^.tmp$ | wc -l')).stdout === '0\n';
      });
      const again = await run(session, 'head -c 10M /dev/zero > fits && stat -c %s fits; sleep 1.5');
      expect(again).toMatchObject({ stdout: `${10 * MIB}\n`, exit_code: 0 });
      expect(again).not.toHaveProperty('disk_limit');
      await request('DELETE', `/sessions/${encodeURIComponent(session)}`);
    },
  );

  it('answers 507 when a file call does not fit, and takes what fits', async () => {
    await create('files');
    const put = (path: string, bytes: number) =>
      commands.rest.request<Answered>('PUT', `/sessions/files/workspace/content?path=${path}`, undefined, {
        body: Buffer.alloc(bytes, 'x'),
        headers: { 'Content-Type': 'application/octet-stream' },
      });
    expect((await put('half', 32 * MIB)).status).toBe(204);
    // PID 1 measures soon after. Until then, more is taken.
    await eventually('the rest is known', async () => (await put('more', 40 * MIB)).status === 507);
    await request('DELETE', '/sessions/files/workspace?path=more');
    expect(await put('more', 40 * MIB)).toMatchObject({ status: 507, body: { code: 'STORAGE_FULL' } });
    expect((await put('quarter', 16 * MIB)).status).toBe(204);
    expect((await put('note', 4)).status).toBe(204);
    expect((await run('files', 'ls')).stdout).toBe('half\nnote\nquarter\n');
    await run('files', 'head -c 20M /dev/zero > last; sleep 60');
    expect(await put('small', 1)).toMatchObject({ status: 507, body: { code: 'STORAGE_FULL' } });
    const form = new FormData();
    form.append('file', new Blob(['x']), 'small');
    const archive = tar([{ name: 'small', content: Buffer.from('x') }]);
    const asTar = { 'Content-Type': 'application/x-tar' };
    const edits = [{ old: 'xxxx', new: 'y' }];
    for (const [way, { status, body }] of Object.entries({
      mkdir: await request('POST', '/sessions/files/workspace/mkdir', { path: 'd' }),
      text: await request('PUT', '/sessions/files/workspace/content?path=small', { content: 'x' }),
      upload: await commands.rest.request('POST', '/sessions/files/workspace/upload', undefined, { body: form }),
      archive: await commands.rest.request('PUT', '/sessions/files/workspace/archive', undefined, { body: archive, headers: asTar }),
      edit: await request('POST', '/sessions/files/workspace/edit', { path: 'note', edits }),
    }))
      expect([way, status, body]).toMatchObject([way, 507, { code: 'STORAGE_FULL' }]);
    const asE2b = { 'Content-Type': 'application/octet-stream', 'E2b-Sandbox-Id': 'files' };
    expect(await commands.rest.request('POST', '/e2b/sandbox/files?path=small', undefined, { body: 'x', headers: asE2b })).toMatchObject({
      status: 507,
      body: { code: 507, message: expect.stringMatching(/^The workspace has reached the limit of its disk/) as string },
    });
    for (const [tool, args] of [
      ['workspace_write', { path: 'small', content: 'x' }],
      ['workspace_edit', { path: 'note', edits }],
    ] as const)
      expect(await commands.tool(tool, { session_id: 'files', ...args })).toMatchObject({
        isError: true,
        content: [{ text: expect.stringMatching(/^STORAGE_FULL: The workspace has reached the limit of its disk/) as string }],
      });
    expect((await run('files', 'ls; cat note')).stdout).toBe('half\nlast\nnote\nquarter\nxxxx');
    expect(await run('files', 'cat half | wc -c')).toMatchObject({ stdout: `${32 * MIB}\n`, exit_code: 0 });
    expect(await run('files', 'rm half && echo gone')).toMatchObject({ stdout: 'gone\n', exit_code: 0 });
    await eventually('it takes files again', async () => (await put('small', 1)).status === 204);
  });

  it('says it by MCP, as an event, and of a job', async () => {
    const command = 'cat /dev/zero > big; sleep 60';
    for (const session_id of ['mcp', 'events', 'job']) await create(session_id);
    const told = await commands.tool('execute', { session_id: 'mcp', command });
    expect(told.structuredContent).toMatchObject({ disk_limit: true, exit_code: 137 });
    expect((told.content as { text: string }[])[0]!.text).toMatch(/^exit code 137 .*\nnote: the session’s disk reached its limit/);
    const events = await (await Events.execute(commands.rest, 'events', command)).all();
    expect(events.at(-1)).toMatchObject({ event: 'exit', data: { disk_limit: true, exit_code: 137 } });
    const { body: started } = await request('POST', '/sessions/job/jobs', { command });
    const job = async () => (await request('GET', `/sessions/job/jobs/${started.job_id}`)).body;
    await eventually('the job is ended', async () => (await job()).state === 'killed');
    expect(await job()).toMatchObject({ disk_limit: true, signal: 'SIGKILL' });
    const output = await commands.tool('job_output', { session_id: 'job', job_id: started.job_id });
    expect(output.structuredContent).toMatchObject({ disk_limit: true });
    expect((await run('events', 'echo on')).stdout).toBe('on\n');
    expect(await run('events', 'echo on')).not.toHaveProperty('disk_limit');
  });

  it('runs no command far past the limit until file calls have deleted enough', async () => {
    await create('far');
    await run('far', 'fallocate -l 5G reserved; sleep 60');
    const refused = await commands.rest.execute('far', 'rm reserved');
    expect(refused).toMatchObject({ status: 507, body: { code: 'STORAGE_FULL' } });
    expect((await request('DELETE', '/sessions/far/workspace?path=reserved')).status).toBe(204);
    await eventually('commands run again', async () => (await commands.rest.execute('far', 'true')).status === 200);
  });

  it('has room for what an installer unpacks, and a home for caches', async () => {
    await create('room', { disk: '256m' });
    const script = 'f=$(mktemp) && head -c 100M /dev/zero > $f && stat -c %s $f && dirname $f && rm $f && stat -c "%a" $TMPDIR';
    expect((await run('room', script)).stdout).toBe(`${100 * MIB}\n/workspace/.tmp\n700\n`);
    expect((await run('room', 'rm -r $TMPDIR; true')).exit_code).toBe(0);
    expect((await run('room', 'python3 -c "import tempfile; print(tempfile.mkdtemp())"')).stdout).toMatch(/^\/workspace\/.tmp\/tmp/);
    const outside = 'env | grep -E "^(CARGO_HOME|GOPATH|GRADLE_USER_HOME|TMPDIR|NPM_CONFIG_PREFIX|HOME)=" | grep -v "=/workspace" | wc -l';
    expect((await run('room', outside)).stdout).toBe('0\n');
  });

  it('shows and compares the option', async () => {
    await create('shown', { disk: '128m' });
    expect((await request('GET', '/sessions/shown')).body).toMatchObject({ disk: '128m', persistent: false });
    await create('shown', { disk: '131072k' });
    expect(await request('POST', '/sessions', { session_id: 'shown', disk: '64m' })).toMatchObject({
      status: 409,
      body: { errors: [{ field: 'disk' }] },
    });
    expect(await request('POST', '/sessions', { session_id: 'other', disk: '2g' })).toMatchObject({
      status: 422,
      body: { errors: [{ field: 'disk', message: 'disk must be a size from 16m to 1g' }] },
    });
    const made = await commands.tool('create_session', { session_id: 'by MCP', disk: '32m' });
    expect(made.structuredContent).toMatchObject({ session_created: true });
    expect((await request('GET', '/sessions/by%20MCP')).body).toMatchObject({ disk: '32m' });
    await eventually('it says what bounds the disk', async () =>
      /^(quota|measured|unguarded)$/.test((await request('GET', '/ready')).body.disk),
    );
  });

  it('removes the disk with the session, and with a container that died', async () => {
    const { deployment } = commands;
    const others = await deployment.volumes();
    // A cluster forgets a volume a moment after it was removed.
    const volume = () =>
      eventually('the session has one volume', async () => {
        const [own, ...more] = (await deployment.volumes()).filter((name) => !others.includes(name));
        return more.length === 0 && own;
      });
    await create('ends', { disk: '32m', metadata: { of: 'ends' } });
    const first = await volume();
    await run('ends', 'echo x > file');
    await deployment.killContainer((await request('GET', '/sessions/ends')).body.container_id);
    // A node takes a moment to tell that a sandbox has ended.
    const { body } = await eventually('the session goes on', async () => {
      const answer = await commands.rest.execute('ends', 'ls');
      return answer.status === 200 && answer;
    });
    expect(body).toMatchObject({ stdout: '', session_restarted: true });
    expect((await request('GET', '/sessions/ends')).body).toMatchObject({ disk: '32m' });
    expect(await volume()).not.toBe(first);
    await request('DELETE', '/sessions/ends');
    await eventually('the volume is gone', async () => (await deployment.volumes()).every((name) => others.includes(name)));
  });

  it('bounds a persistent workspace too, also when the API and the container are new, and keeps what it holds', async () => {
    const fill = async () => {
      const { container_id, ...told } = await run('kept', 'cat /dev/zero > big; sleep 600');
      expect(told).toMatchObject({ disk_limit: true });
      expect((await run('kept', 'rm big; cat file')).stdout).toBe('kept\n');
      return container_id;
    };
    await create('kept', { ...DISK, persistent: true });
    await run('kept', 'echo kept > file');
    const first = await fill();
    await commands.restart();
    expect(await fill()).toBe(first);
    await commands.deployment.removeContainer(first);
    expect(await fill()).not.toBe(first);
    expect((await request('GET', '/sessions/kept')).body).toMatchObject({ ...DISK, persistent: true });
    await request('DELETE', '/sessions/kept');
    await create('default', { persistent: true });
    expect((await request('GET', '/sessions/default')).body).toMatchObject({ disk: '1g', persistent: true });
    await request('DELETE', '/sessions/default');
  });

  itOnHostKernel('cannot be taken off by a command', async () => {
    await create('guarded');
    const script = 'kill -STOP 1; kill -9 1; kill -TERM 1; kill -USR1 1; echo x > /proc/1/comm; cat /proc/1/comm';
    expect((await run('guarded', script)).stdout).toMatch(/^d0\/\d+\n$/);
    expect(await run('guarded', 'cat /dev/zero > big; sleep 60')).toMatchObject({ disk_limit: true });
  });

  itOnHostKernel('is slowed down by no command', async () => {
    await create('slowed');
    const { body } = await commands.rest.execute('slowed', 'renice -n 19 1; cut -d " " -f 19 /proc/1/stat; sleep 5');
    // The seccomp profile of a pod allows it. So PID 1 ends, and the sandbox with it.
    expect(body).toMatchObject(TEST_CLUSTER === null ? { stdout: '0\n' } : { code: 'SANDBOX_LOST' });
    await eventually('the disk is bounded', async () => {
      const { body: told } = await commands.rest.execute('slowed', 'cat /dev/zero > big; sleep 60');
      return 'disk_limit' in told;
    });
  });
});

describe('The service, without MAX_SESSION_DISK,', () => {
  it('offers no disk', async () => {
    const commands = await CommandService.start();
    try {
      expect(await commands.rest.request('POST', '/sessions', { session_id: 'x', disk: '64m' })).toMatchObject({
        status: 422,
        body: { errors: [{ field: 'disk', message: 'disk is not offered here (MAX_SESSION_DISK)' }] },
      });
    } finally {
      await commands.stop();
    }
  });
});
