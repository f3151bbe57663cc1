import type { Browser } from 'playwright-core';
import { openPage, startChromium } from '../support/service/chromium';
import { preview, startWebProgram } from '../support/service/preview';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, type Client, Service } from '../support/service/service';

/** A browser takes a while on a machine that runs other tests. */
jest.setTimeout(300_000);

const PORT = 8765;

describe('A preview in a browser', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let alice: Client;
  let browser: Browser;

  beforeAll(async () => {
    [service, browser] = await Promise.all([Service.start({ deployment }), startChromium()]);
    alice = service.client(ALICE);
  });
  afterAll(async () => {
    await browser?.close();
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  it('shows a page, whose scripts and WebSocket work, on an origin of its own', async () => {
    await startWebProgram(alice, 'page', PORT);
    const { url } = await preview(alice, 'page', PORT);
    const { page, reports } = await openPage(browser, url);
    expect(await page.textContent('h1')).toBe('Hello from the sandbox');
    await page.waitForFunction("document.getElementById('said').textContent === 'echo: from the page'");
    const cookies = await page.context().cookies();
    expect(cookies.map(({ name, domain }) => [name, domain]).sort()).toEqual([
      ['own', new URL(url).hostname],
      ['wide', new URL(url).hostname],
    ]);
    const { url: another } = await preview(alice, 'page', PORT);
    await page.goto(another.replace(/\/$/, '/headers'));
    expect(await page.textContent('body')).not.toContain('own=1');
    expect(reports.filter((line) => line.startsWith('error'))).toEqual([]);
  });

  it('tells no other site the address of the page', async () => {
    const { url } = await preview(alice, 'page', PORT);
    const { page } = await openPage(browser, url);
    const asked: (string | undefined)[] = [];
    await page.route('http://other.localhost:1/**', (route) => {
      asked.push(route.request().headers().referer);
      return route.fulfill({ body: '' });
    });
    await page.evaluate("fetch('http://other.localhost:1/x', { mode: 'no-cors' })");
    expect(asked).toEqual([undefined]);
    await page
      .evaluate("fetch('/headers').then((answer) => answer.text())")
      .then((text) => expect(text).toContain(`http://localhost:${PORT}/`));
  });
});
