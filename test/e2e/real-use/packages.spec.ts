import { availableParallelism } from 'node:os';
import type { Browser } from 'playwright-core';
import { putNode } from '../../support/network/node-tools';
import { addressesOf, aptSources, type CaFile, npmRegistry, PREPARE_APT, ruleOf, writeCaFile } from '../../support/network/registries';
import { openPage, startChromium } from '../../support/service/chromium';
import { Tools } from '../../support/service/mcp';
import { eventually } from '../../support/service/processes';
import { listening, preview } from '../../support/service/preview';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, type Client, type Executed, Service } from '../../support/service/service';

/** A slow machine, and a slow registry. */
jest.setTimeout(600_000);

const VITE_PORT = 5173;

/** A small project. This Vite runs on every Node that this product runs on. */
const PROJECT: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    name: 'small',
    private: true,
    type: 'module',
    scripts: { dev: `vite --port ${VITE_PORT}` },
    dependencies: { ms: '2.1.3' },
    devDependencies: { vite: '6.4.1' },
  }),
  'index.html': '<!doctype html><title>Vite</title><h1></h1><p></p><script type="module" src="/main.js"></script>',
  'main.js': `import ms from 'ms';
import { text } from './text.js';
const show = (value) => (document.querySelector('h1').textContent = value);
show(text);
document.querySelector('p').textContent = ms(120000, { long: true });
window.loads = (window.loads ?? 0) + 1;
import.meta.hot.accept('./text.js', (changed) => show(changed.text));
`,
  'text.js': "export const text = 'first';\n",
};

/** Settings under which a session has room for a project of Node. */
const ROOM = { disk: '2g', memory: '1g', cpus: availableParallelism() };

type Told = Executed & { network_denied?: object[] };

describe('The registries that this machine is set to, from a session with a disk,', () => {
  const deployment = new TestDeployment();
  const registry = npmRegistry();
  let certificates: CaFile;
  let service: Service;
  let alice: Client;
  let browser: Browser;
  let sources: URL[];

  /** Runs a command that has to succeed, and that the network refuses nothing. */
  const run = async (session: string, command: string): Promise<Told> => {
    const told: Told = await alice.run(session, command, { timeout: 280 });
    expect({ ...told, stdout: '' }).toMatchObject({ exit_code: 0, timed_out: false });
    expect(told).not.toHaveProperty('network_denied');
    return told;
  };

  beforeAll(async () => {
    certificates = writeCaFile();
    const start = (EGRESS_PRIVATE: string) =>
      Service.start({
        deployment,
        env: {
          EGRESS_ALLOW: `*,${ruleOf(registry)}`,
          EGRESS_MIRRORS: `npm=${registry.href}`,
          EGRESS_CA_FILE: certificates.path,
          EGRESS_PRIVATE,
          MAX_SESSION_DISK: ROOM.disk,
          MAX_SESSION_MEMORY: ROOM.memory,
          MAX_SESSION_CPUS: String(ROOM.cpus),
          MAX_EXEC_TIMEOUT_SECONDS: '280',
          WORKSPACE_MAX_FILE_SIZE_BYTES: '0',
          ARCHIVE_MAX_BYTES: String(1024 ** 3),
        },
      });
    // What apt in the image is set to is known once a sandbox has told it.
    service = await start('');
    sources = await aptSources(service.client(ALICE), 'sources');
    await service.stop();
    service = await start((await addressesOf([registry, ...sources].map(({ hostname }) => hostname))).join(','));
    alice = service.client(ALICE);
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await service?.stop('SIGKILL');
    await deployment.removeAll();
    certificates?.remove();
  });

  it('give npm a project’s packages, which runs and is shown in a browser with each change', async () => {
    await alice.request('POST', '/sessions', { session_id: 'web', ...ROOM, network: { allow: [ruleOf(registry)] } });
    await putNode(alice, 'web');
    for (const [name, text] of Object.entries(PROJECT)) {
      const written = await alice.request('PUT', alice.workspace('web', `app/${name}`, true), { content: text });
      expect(written.status).toBe(204);
    }
    await run('web', 'cd app && npm install && test -d node_modules/vite && test -d node_modules/ms');
    const started = await alice.request('POST', '/sessions/web/jobs', { command: 'npm run dev', working_dir: 'app' });
    expect(started.status).toBe(201);
    await eventually('Vite listens', async () => (await listening(alice, 'web')).includes(VITE_PORT), 120);
    const { url } = await preview(alice, 'web', VITE_PORT);
    const { page, reports } = await openPage(browser, url);
    await page.waitForFunction("document.querySelector('h1').textContent === 'first'");
    expect(await page.textContent('p')).toBe('2 minutes');
    await eventually('Vite’s WebSocket is open', async () => reports.some((line) => line.includes('[vite] connected')));
    const changed = { path: 'app/text.js', edits: [{ old: "'first'", new: "'second'" }] };
    expect((await alice.request('POST', '/sessions/web/workspace/edit', changed)).status).toBe(200);
    await page.waitForFunction("document.querySelector('h1').textContent === 'second'");
    expect(await page.evaluate('window.loads')).toBe(1);
    expect(reports.filter((line) => line.startsWith('error'))).toEqual([]);
  });

  it('give npm a program for all projects, whose name is a command from then on', async () => {
    const tools = await Tools.connect(service, ALICE);
    const command = 'npm install -g semver@7 && semver -i minor 1.2.3';
    const told = await tools.call('execute', { session_id: 'web', command, timeout: 280 }, { timeout: 290_000 });
    const outcome = told.structuredContent as Record<string, unknown>;
    expect(outcome).toMatchObject({ exit_code: 0, stdout: expect.stringMatching(/\n1\.3\.0\n$/) });
    await tools.close();
  });

  it('give apt a package, which runs when it is unpacked', async () => {
    await alice.request('POST', '/sessions', { session_id: 'debian', ...ROOM, network: { allow: sources.map(ruleOf) } });
    await run('debian', PREPARE_APT);
    const command = 'apt-get -c apt/settings -q download hello && dpkg -x hello_*.deb root && root/usr/bin/hello';
    expect((await run('debian', command)).stdout).toMatch(/\nHello, world!\n$/);
  });
});
