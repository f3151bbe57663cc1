import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Child } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, Service } from '../support/service/service';

jest.setTimeout(300_000);

const SCRIPT = join(__dirname, '../../scripts/mcp-conformance.mjs');
const ORIGIN = 'http://client.test';

it('the MCP server passes the official conformance scenarios when they apply', async () => {
  const service = await Service.start({ deployment: new TestDeployment(), env: { ALLOWED_ORIGINS: ORIGIN } });
  try {
    const env = { ...process.env, API_KEY: ALICE };
    const suite = new Child(spawn(process.execPath, [SCRIPT, `${service.url}/mcp`, ORIGIN], { env, stdio: ['ignore', 'pipe', 'pipe'] }));
    const exitCode = await suite.exited;
    expect({ exitCode, output: suite.output }).toEqual({ exitCode: 0, output: expect.stringContaining('✓ dns-rebinding-protection') });
  } finally {
    await service.stop();
  }
});
