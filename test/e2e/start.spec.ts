import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Child, eventually, freePort } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { type Env } from '../support/service/service';

const ROOT = resolve(__dirname, '../..');
/**
 * The content of a clone, with node_modules and dist. To make these again would repeat what `npm
 * test` has just done.
 */
const CLONE = [
  'agent',
  'apps',
  'libs',
  'packages',
  'scripts',
  'dist',
  'package.json',
  'package-lock.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'Dockerfile.agent',
];

/** curl's exit code when it cannot connect. */
const COULD_NOT_CONNECT = 7;

jest.setTimeout(300_000);

describe('npm start', () => {
  const deployment = new TestDeployment();
  let clone: string;
  let running: Child | undefined;

  beforeAll(() => {
    clone = mkdtempSync(join(tmpdir(), 'sandbox-clone-'));
    for (const name of CLONE) cpSync(join(ROOT, name), join(clone, name), { recursive: true, preserveTimestamps: true });
    symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  });
  afterEach(async () => {
    await running?.stop();
    for (const made of ['.sandbox', '.env']) rmSync(join(clone, made), { recursive: true, force: true });
  });
  afterAll(async () => {
    rmSync(clone, { recursive: true, force: true });
    await deployment.removeAll();
  });

  /** Runs `npm start` with only those variables of this process that any shell has. */
  function start(env: Env): Child {
    const { PATH = '', HOME = '', DOCKER_HOST } = process.env;
    const shell = { PATH, HOME, ...(DOCKER_HOST === undefined ? {} : { DOCKER_HOST }), DEPLOYMENT: deployment.name, ...env };
    running = new Child(spawn('npm', ['start'], { cwd: clone, env: shell, stdio: ['ignore', 'pipe', 'pipe'], detached: true }));
    return running;
  }

  async function curlLine(child: Child): Promise<string> {
    return eventually(
      'it invites to try it',
      async () => {
        if (child.process.exitCode !== null) throw new Error(`it exited: ${child.output}`);
        return /^ {2}(curl .*)$/m.exec(child.output)?.[1];
      },
      240,
    );
  }

  async function pasted(line: string): Promise<{ code: number | null; output: string }> {
    const shell = new Child(spawn('sh', ['-c', line], { stdio: ['ignore', 'pipe', 'pipe'] }));
    return { code: await shell.exited, output: shell.output };
  }

  test('prints a curl line that works when pasted, and keeps its key private', async () => {
    const port = await freePort();
    const first = start({ PORT: String(port) });
    const line = await curlLine(first);
    const { output } = await pasted(line);
    expect(JSON.parse(output)).toMatchObject({ exit_code: 0, stdout: expect.stringMatching(/^Hello from .*\nPython 3/) });
    const keyFile = join(clone, '.sandbox/api-key');
    expect(line).toContain(readFileSync(keyFile, 'utf8').trim());
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect((await fetch(`http://127.0.0.1:${port}/docs`)).status).toBe(200);
    await first.stop();
    await eventually('the API ends with npm', async () => (await pasted(line)).code === COULD_NOT_CONNECT);
    expect(await curlLine(start({ PORT: String(port) }))).toBe(line);
  });

  test('takes settings from the environment, then .env, when they are set', async () => {
    const port = await freePort();
    writeFileSync(join(clone, '.env'), "API_KEYS=it's-mine,another\nPORT=1\nAPI_KEY_HEADER=X-Mine\nAPP_NAME=from-file\n");
    const child = start({ PORT: String(port) });
    const line = await curlLine(child);
    expect(line).toContain('X-Mine: it');
    expect(JSON.parse((await pasted(line)).output)).toMatchObject({ exit_code: 0 });
    expect(await (await fetch(`http://127.0.0.1:${port}/openapi.json`)).json()).toMatchObject({ info: { title: 'from-file' } });
    expect(existsSync(join(clone, '.sandbox/api-key'))).toBe(false);
  });

  test('lets a running command finish, and leaves nothing running, when Ctrl-C comes', async () => {
    const child = start({ PORT: String(await freePort()) });
    const slow = pasted((await curlLine(child)).replace(/echo .* --version/, 'touch begun; sleep 3; echo finished'));
    const begun = (await curlLine(child)).replace(/echo .* --version/, 'ls');
    await eventually('the command runs', async () => (await pasted(begun)).output.includes('begun'));
    // A terminal sends Ctrl-C to every process of the foreground group at once.
    process.kill(-child.pid, 'SIGINT');
    expect(JSON.parse((await slow).output)).toMatchObject({ exit_code: 0, stdout: 'finished\n' });
    await child.exited;
    await eventually('its port is free again', async () => (await pasted(begun)).code === COULD_NOT_CONNECT);
  });

  test('names the port, and begins nothing, when it is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    try {
      await eventually('the port is held', async () => holder.listening);
      const { port } = holder.address() as AddressInfo;
      const child = start({ PORT: String(port) });
      expect(await child.exited).toBe(1);
      expect(child.output).toContain(`Port ${port} on 127.0.0.1 is taken`);
      expect(child.output).not.toContain('packages');
    } finally {
      holder.close();
    }
  });

  test('says so, and uses no other engine, when none answers at DOCKER_HOST', async () => {
    const child = start({ PORT: String(await freePort()), DOCKER_HOST: 'unix:///nowhere/docker.sock' });
    expect(await child.exited).toBe(1);
    expect(child.output).toContain('DOCKER_HOST is set, but no Docker engine answers there (ENOENT)');
  });

  test('passes the API’s message and exit code on when a setting is bad', async () => {
    const child = start({ PORT: String(await freePort()), RATE_LIMIT_REQUESTS: 'many' });
    expect(await child.exited).toBe(78);
    expect(child.output).toContain('RATE_LIMIT_REQUESTS must be');
    expect(child.output).not.toContain('curl');
  });
});
