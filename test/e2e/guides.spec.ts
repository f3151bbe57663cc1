import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { installGuidePackages } from '../support/guides/guide-packages';
import { matches, readGuide, type Step } from '../support/guides/guide-page';
import { Tools } from '../support/service/mcp';
import { TestDeployment } from '../support/service/deployment';
import { Service } from '../support/service/service';

/** The first run downloads packages, and programs of others start slowly on a busy machine. */
jest.setTimeout(600_000);

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');
const PAGES = readdirSync(join(ROOT, 'docs/guides')).map((file) => basename(file, '.md'));
/** A key in the form that `npm start` makes. */
const KEY = 'e2b_00112233445566778899aabbccddeeff';
const SHOWN_URL = 'http://127.0.0.1:8000';
const CLIENT = /\S*\/sandbox-api-client-\d\S*\.tgz/;

/** Real: the pages, the programs of others that they name, and the built service. */
describe('docs/guides', () => {
  const deployment = new TestDeployment();
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-guides-'));
  let service: Service;
  let packages: ReadonlyMap<string, string>;
  const packed = new Set<string>();

  beforeAll(async () => {
    [service, packages] = await Promise.all([
      Service.start({ deployment, env: { API_KEYS: KEY, WORKSPACE_MAX_FILE_SIZE_BYTES: '0' } }),
      installGuidePackages(),
    ]);
    for (const [name, place] of packages) {
      const link = join(directory, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(place, link);
    }
    // The parts of a clone in which `npm start` has run.
    mkdirSync(join(directory, '.sandbox'));
    writeFileSync(join(directory, '.sandbox/api-key'), `${KEY}\n`);
    cpSync(join(ROOT, 'packages/client'), join(directory, 'packages/client'), {
      recursive: true,
      filter: (path) => !/\/(dist|node_modules)$/.test(path),
    });
    for (const name of ['home', 'bin']) mkdirSync(join(directory, name));
    symlinkSync(join(packages.get('@anthropic-ai/claude-code')!, 'cli.js'), join(directory, 'bin/claude'));
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Puts this test's own service and directory for those of the reader. */
  const here = (text: string): string => text.replaceAll(SHOWN_URL, service.url).replaceAll('/tmp', directory);

  /** Puts packages that are there already for what npm would install. Packs the client once. */
  const installed = (commands: string): string =>
    once(commands, /^npm pack .+$/gm).replaceAll(/^npm install (.+)$/gm, (_line, names: string) => {
      const [client] = CLIENT.exec(names) ?? [];
      for (const name of names.replace(CLIENT, '').trim().split(/\s+/)) {
        const [, bare, major] = /^(.+)@(\d+)$/.exec(name) ?? [];
        if (name !== '' && versionOf(bare!).split('.')[0] !== major) throw new Error(`the tests have no package ${name}`);
      }
      return client === undefined ? ':' : `mkdir -p node_modules/sandbox-api-client && tar -xzf ${client} --strip-components=1 -C $_`;
    });

  function once(commands: string, lines: RegExp): string {
    return commands.replaceAll(lines, (line) => {
      const first = !packed.has(line);
      packed.add(line);
      return first ? line : ':';
    });
  }

  function versionOf(name: string): string {
    return (require(join(packages.get(name)!, 'package.json')) as { version: string }).version;
  }

  /** Types the steps of a page into one shell. @returns what the shell shows after each */
  async function follow(steps: readonly Step[]): Promise<string[]> {
    const END = '<<< end of a step >>>';
    const script = steps.map(({ commands }) => `${here(installed(commands))}echo '${END}'`).join('\n');
    const env = {
      PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
      HOME: join(directory, 'home'),
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
    };
    const { stdout } = await run('bash', ['-ec', script], { cwd: directory, env });
    return stdout.split(`${END}\n`);
  }

  it.each(PAGES)('does and shows what it says: %s', async (name) => {
    const { files, steps } = readGuide(name);
    for (const [file, content] of files) writeFileSync(join(directory, file), here(content));
    const shown = await follow(steps);
    for (const [at, step] of steps.entries()) {
      if (step.shown !== undefined && !matches(here(step.shown), shown[at]!)) expect(shown[at]).toBe(here(step.shown));
    }
  });

  it('answers the first command of the README as it says there', async () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, commands, answer] = /^## Run a command\n[^]*?```bash\n([^]*?)```\n\n```json\n([^]*?)```/m.exec(readme)!;
    const [shown] = await follow([{ commands: commands! }]);
    expect(shown).toContain('"stdout":"hello from sandbox\\nPython 3.');
    const fields = (text: string): string[] => Object.keys(JSON.parse(text) as object);
    expect(fields(shown!)).toEqual(fields(answer!));
  });

  it('connects Cursor when its mcp.json is as the page says', async () => {
    const { json } = readGuide('cursor');
    expect(json).toHaveLength(2);
    for (const text of json) {
      const { mcpServers } = JSON.parse(here(text).replace(/your-api-key|\$\{env:SANDBOX_API_KEY\}/, KEY)) as {
        mcpServers: { sandbox: { url: string; headers: Record<string, string> } };
      };
      const tools = await Tools.connectTo(mcpServers.sandbox.url, mcpServers.sandbox.headers);
      const { structuredContent } = await tools.call('execute', { session_id: 'cursor', command: 'echo connected' });
      expect(structuredContent).toMatchObject({ stdout: 'connected\n' });
      await tools.close();
    }
  });
});
