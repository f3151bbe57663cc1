import type { Browser } from 'playwright-core';
import { putNode } from '../support/network/node-tools';
import { openPage, startChromium } from '../support/service/chromium';
import { listening, preview } from '../support/service/preview';
import { eventually } from '../support/service/processes';
import { RegistryService } from '../support/service/registry-service';

/** Their packages are large, and the first page is compiled when it is asked for. */
jest.setTimeout(900_000);

interface Project {
  readonly port: number;
  readonly files: Readonly<Record<string, string>>;
  /** The file that an edit changes, from `first` to `second`. */
  readonly edited: string;
}

const PROJECTS: Readonly<Record<string, Project>> = {
  webpack: {
    port: 8080,
    edited: 'src/text.js',
    files: {
      'package.json': JSON.stringify({
        name: 'small',
        private: true,
        scripts: { dev: 'webpack serve --mode development --port 8080' },
        devDependencies: { webpack: '5.99.9', 'webpack-cli': '6.0.1', 'webpack-dev-server': '5.2.2' },
      }),
      // Its page would ask the server's own port for its WebSocket, through any proxy.
      'webpack.config.js': `module.exports = {
  entry: './src/main.js',
  devServer: { static: 'public', client: { webSocketURL: 'auto://0.0.0.0:0/ws' } },
};
`,
      'public/index.html': '<!doctype html><title>webpack</title><h1></h1><script src="/main.js"></script>',
      'src/main.js': `import { text } from './text.js';
const show = () => (document.querySelector('h1').textContent = text);
show();
window.loads = (window.loads ?? 0) + 1;
module.hot.accept('./text.js', show);
`,
      'src/text.js': "export const text = 'first';\n",
    },
  },
  Next: {
    port: 3000,
    edited: 'app/text.js',
    files: {
      'package.json': JSON.stringify({
        name: 'small',
        private: true,
        scripts: { dev: 'next dev' },
        dependencies: { next: '15.3.4', react: '19.1.0', 'react-dom': '19.1.0' },
      }),
      'next.config.mjs': 'export default { devIndicators: false };\n',
      'app/layout.js': 'export default ({ children }) => <html><body>{children}</body></html>;\n',
      'app/page.js': `'use client';
import { useEffect } from 'react';
import { text } from './text';
export default function Page() {
  useEffect(() => { window.loads = (window.loads ?? 0) + 1; }, []);
  return <h1>{text}</h1>;
}
`,
      'app/text.js': "export const text = 'first';\n",
    },
  },
};

describe('A preview of a development server', () => {
  let registries: RegistryService;
  let browser: Browser;

  beforeAll(async () => {
    registries = await RegistryService.start();
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await registries?.stop();
  });

  it.each(Object.entries(PROJECTS))('shows a change without loading the page anew: %s', async (session, { port, files, edited }) => {
    const { alice } = registries;
    await registries.create(session, registries.registry);
    await putNode(alice, session);
    for (const [name, content] of Object.entries(files))
      expect((await alice.request('PUT', alice.workspace(session, `app/${name}`, true), { content })).status).toBe(204);
    await registries.run(session, 'cd app && npm install --no-audit --no-fund');
    const started = await alice.request('POST', `/sessions/${session}/jobs`, { command: 'npm run dev', working_dir: 'app' });
    expect(started.status).toBe(201);
    await eventually('it listens', async () => (await listening(alice, session)).includes(port), 240);
    const { url } = await preview(alice, session, port);
    const { page, reports } = await openPage(browser, url);
    await page.waitForFunction("document.querySelector('h1')?.textContent === 'first' && window.loads > 0", undefined, {
      timeout: 240_000,
    });
    const loads = await page.evaluate('window.loads');
    const change = { path: `app/${edited}`, edits: [{ old: "'first'", new: "'second'" }] };
    expect((await alice.request('POST', `/sessions/${session}/workspace/edit`, change)).status).toBe(200);
    await page.waitForFunction("document.querySelector('h1').textContent === 'second'", undefined, { timeout: 120_000 });
    expect(await page.evaluate('window.loads')).toBe(loads);
    expect(reports.filter((line) => line.startsWith('error'))).toEqual([]);
  });
});
