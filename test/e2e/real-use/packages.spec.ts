import type { Browser } from 'playwright-core';
import { putNode } from '../../support/network/node-tools';
import { PREPARE_APT } from '../../support/network/registries';
import { openPage, startChromium } from '../../support/service/chromium';
import { Tools } from '../../support/service/mcp';
import { listening, preview } from '../../support/service/preview';
import { eventually } from '../../support/service/processes';
import { RegistryService } from '../../support/service/registry-service';
import { ALICE, type Client } from '../../support/service/service';

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

describe('The registries that this machine is set to, from a session with a disk,', () => {
  let registries: RegistryService;
  let alice: Client;
  let browser: Browser;

  beforeAll(async () => {
    registries = await RegistryService.start();
    alice = registries.alice;
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await registries?.stop();
  });

  it('give npm a project’s packages, which runs and is shown in a browser with each change', async () => {
    await registries.create('web', registries.registry);
    await putNode(alice, 'web');
    for (const [name, text] of Object.entries(PROJECT)) {
      const written = await alice.request('PUT', alice.workspace('web', `app/${name}`, true), { content: text });
      expect(written.status).toBe(204);
    }
    await registries.run('web', 'cd app && npm install && test -d node_modules/vite && test -d node_modules/ms');
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
    const tools = await Tools.connect(registries.service, ALICE);
    const command = 'npm install -g semver@7 && semver -i minor 1.2.3';
    const told = await tools.call('execute', { session_id: 'web', command, timeout: 280 }, { timeout: 290_000 });
    const outcome = told.structuredContent as Record<string, unknown>;
    expect(outcome).toMatchObject({ exit_code: 0, stdout: expect.stringMatching(/\n1\.3\.0\n$/) });
    await tools.close();
  });

  it('give pnpm packages without any option', async () => {
    await registries.run('web', 'npm install -g pnpm@9');
    const command = `mkdir other && cd other && npm init -y > /dev/null && pnpm add ms@2.1.3 && node -p "require('ms')(60000)"`;
    expect((await registries.run('web', command)).stdout).toMatch(/\n1m\n$/);
  });

  it('give apt a package, which runs when it is unpacked', async () => {
    await registries.create('debian', ...registries.sources);
    await registries.run('debian', PREPARE_APT);
    const command = 'apt-get -c apt/settings -q download hello && dpkg -x hello_*.deb root && root/usr/bin/hello';
    expect((await registries.run('debian', command)).stdout).toMatch(/\nHello, world!\n$/);
  });
});
