import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestApp } from '../../../../test/support/test-app';

const ROOT = join(__dirname, '../../../..');
const FILE = join(ROOT, 'docs/openapi.json');

/** The document as the API serves it with the default settings. */
async function servedDocument(): Promise<string> {
  const app = await TestApp.start();
  try {
    return `${JSON.stringify(await (await fetch(`${app.url}/openapi.json`)).json(), null, 2)}\n`;
  } finally {
    await app.stop();
  }
}

describe('docs/openapi.json', () => {
  it('is what the API serves (`npm run openapi` writes it again)', async () => {
    const served = await servedDocument();
    // oxlint-disable-next-line node/no-process-env
    if (process.env.UPDATE_OPENAPI) writeFileSync(FILE, served);
    // Not toEqual: a difference of two such texts is long to print.
    expect(readFileSync(FILE, 'utf8') === served).toBe(true);
  });

  it('has the version of the package', () => {
    const { info } = JSON.parse(readFileSync(FILE, 'utf8')) as { info: { version: string } };
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(info.version).toBe(version);
  });
});
