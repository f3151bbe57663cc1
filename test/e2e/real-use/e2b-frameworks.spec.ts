import { installFrameworks, runFramework } from '../../support/service/e2b-frameworks';
import { docker, TestDeployment } from '../../support/service/deployment';
import { makeImageWithNode } from '../../support/service/image-with-node';
import { Service } from '../../support/service/service';

/** A slow registry. */
jest.setTimeout(900_000);

const KEY = 'e2b_00112233445566778899aabbccddeeff';

/** What each framework is to do: write a script, run it, and read what it wrote. */
const SCRIPT =
  'import json, os, pathlib, sys\npathlib.Path("out.json").write_text(json.dumps(sum(range(10))))\nprint("done", os.environ.get("NAME"), sys.argv[1:])\n';

const COMPUTE_SDK = `
import { e2b } from '@computesdk/e2b';
const compute = e2b({ apiKey: process.env.E2B_API_KEY });
const sandbox = await compute.sandbox.create({ envs: { GREETING: 'hello' } });
await sandbox.filesystem.mkdir('/home/user/project');
await sandbox.filesystem.writeFile('/home/user/project/main.py', ${JSON.stringify(SCRIPT)});
const result = await sandbox.runCommand('python3 main.py "$GREETING"', { cwd: '/home/user/project', env: { NAME: 'ann' } });
const failed = await sandbox.runCommand('echo bad >&2; exit 3');
const found = await compute.sandbox.getById(sandbox.sandboxId);
tell({
  result: [result.stdout, result.exitCode],
  failed: [failed.stderr, failed.exitCode],
  out: await found.filesystem.readFile('/home/user/project/out.json'),
  names: (await sandbox.filesystem.readdir('/home/user/project')).map(({ name }) => name),
  url: await sandbox.getUrl({ port: 8000, protocol: 'http' }),
  listed: (await compute.sandbox.list()).map(({ sandboxId }) => sandboxId === sandbox.sandboxId),
  exists: [await sandbox.filesystem.exists('/home/user/project'), await sandbox.filesystem.exists('/home/user/nothing')],
});
await compute.sandbox.destroy(sandbox.sandboxId);
`;

const OPENAI_AGENTS = `
import { E2BSandboxClient } from '@openai/agents-extensions/sandbox/e2b';
import { Manifest } from '@openai/agents-core/sandbox';
const client = new E2BSandboxClient({ timeout: 300, env: { GREETING: 'hello' }, exposedPorts: [8000] });
const manifest = new Manifest({ entries: { 'project/main.py': { type: 'file', content: ${JSON.stringify(SCRIPT)} } } });
const session = await client.create({ manifest });
const result = await session.execCommand({ cmd: 'python3 main.py "$GREETING"', workdir: 'project' });
const failed = await session.execCommand({ cmd: 'echo bad >&2; exit 3' });
await session.createEditor().createFile({ type: 'create_file', path: 'notes.txt', diff: '+first\\n+second\\n' });
const resumed = await client.resume(await client.deserializeSessionState(await client.serializeSessionState(session.state)));
tell({
  result,
  failed,
  out: new TextDecoder().decode(await resumed.readFile({ path: 'project/out.json' })),
  notes: new TextDecoder().decode(await session.readFile({ path: 'notes.txt' })),
  exists: [await session.pathExists('project/main.py'), await session.pathExists('nothing')],
  archive: await session.persistWorkspace().then(() => 'made', (error) => error.message),
  port: (await session.resolveExposedPort(8000)).host,
  running: await session.running(),
});
await session.close();
`;

const CODE_INTERPRETER = `
import { Sandbox } from '@e2b/code-interpreter';
const sandbox = await Sandbox.create('base');
await sandbox.files.write('main.py', ${JSON.stringify(SCRIPT)});
const result = await sandbox.commands.run('python3 main.py');
tell({
  result: result.stdout,
  out: await sandbox.files.read('out.json'),
  template: await Sandbox.create().catch((error) => error.message),
});
await sandbox.kill();
`;

const EZ_DEVBOX = `
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Sandbox } from 'e2b';
const cli = resolve('node_modules/ez-devbox/dist/src/cli/index.js');
const cwd = mkdtempSync(join(tmpdir(), 'ez-devbox-'));
writeFileSync(join(cwd, 'ez-devbox.config.toml'), '[sandbox]\\ntemplate = "base"\\n');
const box = (...options) => execFileSync(process.execPath, [cli, ...options], { cwd, encoding: 'utf8' });
const { sandboxId, files } = await Sandbox.create();
await files.write('/home/user/projects/workspace/main.py', ${JSON.stringify(SCRIPT)});
const { sandboxes } = JSON.parse(box('list', '--json'));
const { stdout, cwd: directory, exitCode } = JSON.parse(box('command', '--sandbox-id', sandboxId, '--json', '--', 'python3', 'main.py', 'a b'));
const out = await files.read('projects/workspace/out.json');
tell({ listed: sandboxes.map((each) => each.sandboxId === sandboxId), stdout, directory, exitCode, out });
box('wipe', '--sandbox-id', sandboxId);
rmSync(cwd, { recursive: true });
`;

const E2B_CLI = `
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
const e2b = (input, ...words) => {
  const options = { input, encoding: 'utf8', env: { ...process.env, HOME: '/nonexistent' } };
  const { stdout, status } = spawnSync(process.execPath, [resolve('node_modules/@e2b/cli/dist/index.js'), 'sandbox', ...words], options);
  return [stdout, status];
};
const [made] = e2b('', 'create', '--detach');
const id = made.trim();
const listed = JSON.parse(e2b('', 'list', '--format', 'json')[0]).map(({ sandboxId }) => sandboxId === id);
const script = e2b(${JSON.stringify(SCRIPT)}, 'exec', id, 'tee', 'main.py');
const result = e2b('', 'exec', id, '--', 'python3', 'main.py', 'a');
const failed = e2b('', 'exec', id, '--', 'exit 3');
const info = JSON.parse(e2b('', 'info', id, '--format', 'json')[0]);
tell({ listed, script: script[1], result, failed: failed[1], state: info.state, killed: e2b('', 'kill', id)[1] });
`;

const MCP_USE = `
import { MCPClient } from 'mcp-use/client';
const executorOptions = { apiKey: process.env.E2B_API_KEY };
const client = new MCPClient({ mcpServers: {} }, { codeMode: { enabled: true, executor: 'e2b', executorOptions } });
const sum = await client.executeCode('const fs = require("fs"); fs.writeFileSync("out.json", "45"); return Number(fs.readFileSync("out.json"));', 20000);
const failed = await client.executeCode('throw new Error("bad")', 20000);
tell({ result: sum.result, error: sum.error, failed: failed.error });
await client.close();
`;

/** Real: the code of each framework for E2B, as npm has it, in a process of its own. */
describe('A framework that has code for E2B', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let directory: string;

  beforeAll(async () => {
    [directory, service] = await Promise.all([installFrameworks(), Service.start({ deployment, env: { API_KEYS: KEY } })]);
  });
  afterAll(async () => {
    await service?.stop();
    await deployment.removeAll();
  });

  it.each<[string, string, object]>([
    [
      '@computesdk/e2b',
      COMPUTE_SDK,
      {
        result: ["done ann ['hello']\n", 0],
        failed: ['bad\n', 3],
        out: '45',
        names: ['main.py', 'out.json'],
        url: expect.stringMatching(/^http:\/\/8000-[0-9a-f]{32}\.localhost:\d+$/),
        listed: [true],
        exists: [true, false],
      },
    ],
    [
      '@openai/agents-extensions (OpenAI’s Agents SDK)',
      OPENAI_AGENTS,
      {
        result: expect.stringContaining("done None ['hello']"),
        failed: expect.stringMatching(/code 3[^]*bad/),
        out: '45',
        notes: 'first\nsecond',
        exists: [true, false],
        // It would read the archive from /tmp.
        archive: expect.stringContaining('failed to persist the workspace archive'),
        port: expect.stringMatching(/^8000-[0-9a-f]{32}\.localhost$/),
        running: true,
      },
    ],
    [
      '@e2b/code-interpreter, but for runCode',
      CODE_INTERPRETER,
      { result: 'done None []\n', out: '45', template: expect.stringContaining('no such template') },
    ],
    [
      'ez-devbox, a command line',
      EZ_DEVBOX,
      { listed: [true], stdout: "done None ['a b']\n", directory: '/home/user/projects/workspace', exitCode: 0, out: '45' },
    ],
    [
      '@e2b/cli, E2B’s own command line',
      E2B_CLI,
      { listed: [true], script: 0, result: ["done None ['a']\n", 0], failed: 3, state: 'running', killed: 0 },
    ],
  ])('does an everyday task: %s', async (_name, program, told) => {
    expect(await runFramework(directory, service.url, KEY, program)).toEqual(told);
    expect((await service.client(KEY).request('GET', '/sessions')).body).toEqual({ sessions: [] });
  });

  it('does an everyday task: mcp-use, in an image with Node', async () => {
    const image = await makeImageWithNode();
    const own = await Service.start({ deployment, env: { API_KEYS: KEY, CONTAINER_IMAGE: image } });
    try {
      const told = await runFramework(directory, own.url, KEY, MCP_USE);
      expect(told).toEqual({ result: 45, error: null, failed: 'exit status 1' });
      expect((await own.client(KEY).request('GET', '/sessions')).body).toEqual({ sessions: [] });
    } finally {
      await own.stop();
      await deployment.removeAll();
      await docker.getImage(image).remove({ force: true });
    }
  });
});
