import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import {
  AuthenticationError,
  CommandNotAllowedError,
  ConflictError,
  IdempotencyError,
  InvalidArgumentError,
  NotFoundError,
  Sandbox,
  type SandboxOptions,
} from '@sandbox/client';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, Service } from '../support/service/service';
import { Proxy } from '../support/service/tcp-proxy';

jest.setTimeout(180_000);

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');
const PACKAGE = join(ROOT, 'packages/client');

describe('The client', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let options: { url: string; apiKey: string };
  const create = (more: SandboxOptions = {}): Promise<Sandbox> => Sandbox.create({ ...options, ...more });

  beforeAll(async () => {
    service = await Service.start({ deployment });
    options = { url: service.url, apiKey: ALICE };
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  it('makes, finds, prolongs and removes sandboxes', async () => {
    const sandbox = await create({ metadata: { a_b: 'c' }, timeoutMs: 120_000, envs: { GREETING: 'hello' } });
    expect(await sandbox.getInfo()).toMatchObject({ sessionId: sandbox.sandboxId, ttlSeconds: 120, metadata: { a_b: 'c' } });
    expect((await sandbox.commands.run('echo $GREETING')).stdout).toBe('hello\n');
    await sandbox.setTimeout(60_000);
    const same = await Sandbox.connect(sandbox.sandboxId, options);
    expect(await same.getInfo()).toMatchObject({ ttlSeconds: 60 });
    expect((await Sandbox.list({ ...options, metadata: { a_b: 'c' } })).map(({ sessionId }) => sessionId)).toEqual([sandbox.sandboxId]);
    expect(await Sandbox.list({ ...options, metadata: { a_b: 'd' } })).toEqual([]);
    await expect(create({ sandboxId: sandbox.sandboxId, pids: 50 })).rejects.toThrow(ConflictError);
    expect(await same.isRunning()).toBe(true);
    await sandbox.kill();
    expect(await same.isRunning()).toBe(false);
    await Sandbox.kill(sandbox.sandboxId, options);
    await expect(Sandbox.connect(sandbox.sandboxId, options)).rejects.toThrow(NotFoundError);
  });

  it('runs commands, and says how they ended', async () => {
    const { commands } = await create();
    const script = 'cat; pwd; echo $A; echo bad >&2; exit 3';
    expect(await commands.run(script, { stdin: 'in\n', cwd: '/tmp', envs: { A: 'é' } })).toMatchObject({
      stdout: 'in\n/tmp\né\n',
      stderr: 'bad\n',
      exitCode: 3,
      timedOut: false,
      oomKilled: false,
    });
    expect(await commands.run('sleep 60', { timeoutMs: 1_000 })).toMatchObject({ timedOut: true, exitCode: 124 });
    await expect(commands.run('shutdown now')).rejects.toThrow(CommandNotAllowedError);
    await expect(commands.run('')).rejects.toThrow(InvalidArgumentError);
    await expect(commands.run('true', { cwd: '/nowhere' })).rejects.toMatchObject({ status: 400, code: 'INVALID_WORKING_DIR' });
  });

  it('gives output as it comes, and ends a command when its caller leaves', async () => {
    const { commands } = await create();
    const pieces: string[] = [];
    const result = await commands.run('echo a; echo b >&2', {
      onStdout: (text) => pieces.push(text),
      onStderr: (text) => pieces.push(text),
    });
    expect(result).toMatchObject({ stdout: 'a\n', stderr: 'b\n', exitCode: 0, sessionCreated: false });
    expect(pieces.sort()).toEqual(['a\n', 'b\n']);

    for await (const event of commands.stream('echo on; echo $$ > pid; sleep 600')) if (event.type === 'stdout') break;
    const alive = 'while kill -0 "$(cat pid)" 2> /dev/null; do sleep 0.1; done; echo gone';
    expect((await commands.run(alive, { timeoutMs: 60_000 })).stdout).toBe('gone\n');

    const end = new AbortController();
    const call = commands.run('sleep 600', { signal: end.signal });
    end.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });

  it('handles files of every form, with conditions', async () => {
    const { files } = await create();
    const { etag } = await files.write('d/text', 'one\ntwo\nthree\n', { mode: '755' });
    expect(await files.read('d/text')).toBe('one\ntwo\nthree\n');
    expect(await files.read('d/text', { startLine: 2, endLine: 2 })).toBe('two\n');
    expect(await files.getInfo('/workspace/d/text')).toMatchObject({ path: 'd/text', type: 'file', size: 14, mode: '0755', etag });

    const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
    await files.write('bytes', new Blob([bytes]).stream());
    expect(Buffer.compare(await files.read('bytes', { format: 'bytes' }), bytes)).toBe(0);
    expect((await files.read('bytes', { format: 'blob' })).size).toBe(bytes.length);
    await files.write('copy', await files.read('bytes', { format: 'stream' }));
    expect((await files.getInfo('copy')).size).toBe(bytes.length);

    const { diff } = await files.edit('d/text', [{ old: 'two', new: '2' }], { ifMatch: etag });
    expect(diff).toContain('-two\n+2\n');
    await expect(files.edit('d/text', [{ old: '2', new: 'two' }], { ifMatch: etag })).rejects.toThrow(ConflictError);
    await expect(files.write('d/text', '', { ifNoneMatch: '*' })).rejects.toThrow(ConflictError);
    expect((await files.search({ pattern: '^2$', glob: '**/text' })).matches).toEqual([{ path: 'd/text', lineNumber: 2, line: '2' }]);

    expect(await files.makeDir('e/f')).toBe(true);
    await files.rename('d/text', 'e/f/text');
    await expect(files.rename('e/f/text', 'bytes')).rejects.toThrow(ConflictError);
    await files.rename('e/f/text', 'bytes', { overwrite: true });
    expect((await files.list('', { depth: 2 })).entries.map(({ name }) => name)).toEqual(['bytes', 'copy', 'd', 'e', 'e/f']);
    await files.remove('e');
    expect(await files.exists('e')).toBe(false);
    await expect(files.read('e')).rejects.toThrow(NotFoundError);
  });

  it('moves a directory from one sandbox to another as an archive', async () => {
    const [from, to] = [await create(), await create()];
    await from.commands.run('mkdir -p d/e && echo deep > d/e/f && chmod +x d/e/f');
    expect(await to.files.upload(await from.files.download('d', { gzip: true }), 'copy', { gzip: true })).toMatchObject({ size: 5 });
    expect((await to.commands.run('find copy -type f -executable -exec cat {} +')).stdout).toBe('deep\n');
  });

  it('follows a job over a connection that breaks, and takes it up by its id', async () => {
    const proxy = await Proxy.start(service.port);
    try {
      const sandbox = await create();
      const { sandboxId } = sandbox;
      const through = await Sandbox.connect(sandboxId, { ...options, url: `http://127.0.0.1:${proxy.port}` });
      const job = await through.jobs.start('for i in 1 2 3; do echo $i; read go; done', { openStdin: true });
      let text = '';
      for await (const event of job.follow()) {
        if (event.type !== 'stdout') continue;
        text += event.data;
        proxy.cut();
        await sandbox.jobs.get(job.jobId).write('go\n');
      }
      expect(text).toBe('1\n2\n3\n');
      expect(await job.wait()).toMatchObject({ state: 'exited', exitCode: 0, stdoutBytes: 6 });
      const { offset, body } = await job.bytes({ offset: 2 });
      expect([offset, await new Response(body).text()]).toEqual([2, '2\n3\n']);
      expect((await sandbox.jobs.list()).map(({ jobId }) => jobId)).toEqual([job.jobId]);
      await job.kill();
      await expect(job.getInfo()).rejects.toThrow(NotFoundError);

      const other = await sandbox.jobs.start('trap "exit 5" INT; while :; do sleep 0.1; done');
      await sandbox.commands.run('sleep 1');
      await other.sendSignal('SIGINT');
      expect(await other.wait()).toMatchObject({ exitCode: 5 });
    } finally {
      await proxy.stop();
    }
  });

  it('reads the bytes of a job, and waits for its end, over connections that break', async () => {
    const proxy = await Proxy.start(service.port);
    try {
      const { commands, sandboxId } = await create();
      const through = await Sandbox.connect(sandboxId, { ...options, url: `http://127.0.0.1:${proxy.port}` });
      const job = await through.jobs.start(
        'echo one; until [ -e go ]; do sleep 0.02; done; echo two; until [ -e end ]; do sleep 0.02; done',
      );
      const { offset, body } = await job.bytes();
      const ended = job.wait();
      let text = '';
      for await (const bytes of body) {
        text += Buffer.from(bytes).toString();
        proxy.cut();
        await commands.run(text.includes('two') ? 'touch end' : 'touch go');
      }
      expect([offset, text]).toEqual([0, 'one\ntwo\n']);
      expect(await ended).toMatchObject({ jobId: job.jobId, state: 'exited', exitCode: 0, stdoutBytes: 8 });
    } finally {
      await proxy.stop();
    }
  });

  it('runs a command once, and gets its answer, when it has a key and the connection breaks', async () => {
    const proxy = await Proxy.start(service.port);
    try {
      const { files, sandboxId } = await create();
      const through = Sandbox.of(sandboxId, { ...options, url: `http://127.0.0.1:${proxy.port}` });
      const idempotencyKey = crypto.randomUUID();
      const command = 'echo run >> runs; until [ -e go ]; do sleep 0.02; done; cat runs';
      const result = through.commands.run(command, { idempotencyKey });
      while (!(await files.exists('runs'))) await new Promise((done) => setTimeout(done, 50));
      proxy.cut();
      await files.write('go', '');
      expect(await result).toMatchObject({ stdout: 'run\n', exitCode: 0 });
      expect(await Sandbox.of(sandboxId, options).commands.run(command, { idempotencyKey })).toEqual(await result);
      await expect(through.commands.run('echo other', { idempotencyKey })).rejects.toThrow(IdempotencyError);
      expect(await files.read('runs')).toBe('run\n');
    } finally {
      await proxy.stop();
    }
  });

  it('tells what changes in a directory', async () => {
    const { files } = await create();
    const told: object[] = [];
    for await (const event of files.watch('', { recursive: true })) {
      told.push(event);
      if (event.type === 'ready') await files.makeDir('d');
      if (event.type === 'create') await files.rename('d', 'e');
      if (event.type === 'rename') break;
    }
    expect(told).toEqual([
      { type: 'ready' },
      { type: 'create', path: 'd', isDir: true },
      { type: 'rename', path: 'e', isDir: true, from: 'd' },
    ]);
    await expect(files.watch('nowhere').next()).rejects.toThrow(NotFoundError);
  });

  it('tells what can be done, and what may run', async () => {
    const { files, policy } = await create();
    const { policy: rules, idempotency, sessions } = await Sandbox.capabilities(options);
    expect([rules.mode, idempotency.keepSeconds, sessions.max]).toEqual(['guard-rail', 86_400, 1_000]);
    expect(await policy.check('ls | wc')).toEqual({ allowed: true });
    expect(await policy.check('ls | wv')).toMatchObject({ allowed: false, word: 'wv', position: { line: 1, column: 6, offset: 5 } });
    // A program of the sandbox's own may be named.
    const more = { envs: { PATH: '/workspace/bin:/usr/bin:/bin' } };
    await files.write('bin/own-program', '#!/bin/sh\n', { mode: '755' });
    expect(await policy.check('own-program', more)).toEqual({ allowed: true });
    expect(await Sandbox.of('never made', options).policy.check('own-program')).toMatchObject({ allowed: false });
  });

  it('opens ports, terminals and the network', async () => {
    const { jobs, ports, network, terminals } = await create();
    await jobs.start('echo page > index.html; python3 -m http.server 8080');
    while (!(await ports.list()).some(({ port }) => port === 8080)) await new Promise((done) => setTimeout(done, 100));
    const { url } = await ports.open(8080, { expiresInMs: 60_000 });
    expect(url).toMatch(/^http:\/\/8080-[0-9a-f]{32}\.localhost:\d+\/$/);
    await ports.close(8080);
    expect(await network.get()).toMatchObject({ allow: [], isDefault: true });
    await expect(network.set(['example.com'])).rejects.toThrow(InvalidArgumentError);
    expect(await network.check('example.com', 443)).toMatchObject({ allowed: false, reason: 'name_not_allowed' });
    expect(await terminals.url({ cols: 100 })).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/sessions\/.*[?&]cols=100/);
  });

  it('takes a wrong key for what it is', async () => {
    await expect(Sandbox.list({ ...options, apiKey: 'wrong' })).rejects.toThrow(AuthenticationError);
  });
});

describe('The package of the client', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-client-'));
  const deployment = new TestDeployment();
  let service: Service;

  beforeAll(async () => {
    service = await Service.start({ deployment });
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory], { cwd: PACKAGE });
    const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }];
    await run('tar', ['-xf', filename], { cwd: directory });
    mkdirSync(join(directory, 'node_modules'));
    cpSync(join(directory, 'package'), join(directory, 'node_modules/sandbox-api-client'), { recursive: true });
    for (const name of ['openapi-fetch', 'eventsource-parser', 'openapi-typescript-helpers'])
      symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
    rmSync(directory, { recursive: true, force: true });
  });

  const node = (file: string, code: string) => {
    writeFileSync(join(directory, file), code);
    const env = { PATH: process.env.PATH, SANDBOX_URL: service.url, SANDBOX_API_KEY: ALICE };
    return run(process.execPath, [file], { cwd: directory, env });
  };

  it('runs the example of its README', async () => {
    const [, example] = /^```js\n([^]*?)^```/m.exec(readFileSync(join(PACKAGE, 'README.md'), 'utf8'))!;
    expect((await node('example.mjs', example!)).stdout).toBe('0 step 2\none\ntwo\nexited\n');
  });

  it('can be required', async () => {
    const code = `const { Sandbox } = require('sandbox-api-client'); Sandbox.list().then((all) => console.log(all.length));`;
    expect((await node('required.cjs', code)).stdout).toBe('0\n');
  });

  it('has types for both kinds of modules', async () => {
    writeFileSync(
      join(directory, 'use.mts'),
      `import { Sandbox } from 'sandbox-api-client';\nconst code: number = (await (await Sandbox.connect('a')).commands.run('b')).exitCode;\nvoid code;\n`,
    );
    writeFileSync(
      join(directory, 'use.cts'),
      `import { Sandbox } from 'sandbox-api-client';\nvoid Sandbox.list().then(([first]) => first?.metadata.a);\n`,
    );
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const types = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node'];
    const flags = ['--noEmit', '--strict', '--module', 'node20', '--target', 'es2022', '--skipLibCheck'];
    await run(process.execPath, [tsc, ...flags, ...types, 'use.mts', 'use.cts'], { cwd: directory }).catch((error: { stdout: string }) => {
      throw new Error(error.stdout);
    });
  });

  it('holds only what it needs', async () => {
    const { stdout } = await run('find', ['package', '-maxdepth', '2'], { cwd: directory });
    expect(stdout.trim().split('\n').sort()).toEqual(
      ['', '/README.md', '/dist', '/dist/cjs', '/dist/esm', '/package.json'].map((path) => `package${path}`),
    );
  });
});
