import { type Browser, chromium, type Page } from 'playwright-core';

/** Starts Debian's Chromium. Its sandbox needs a user that is not root, as tests may not have. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** Opens a page, and keeps what it reports: errors of its scripts, and lines of its console. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; reports: string[] }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const reports: string[] = [];
  page.on('pageerror', (error) => reports.push(`error: ${error.message}`));
  page.on('console', (message) => reports.push(message.text()));
  await page.goto(url);
  return { page, reports };
}
