import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually, TestRedis } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { startCleanup } from '../support/service/service';

/** The worker's process itself; what it removes is told in test/medium/sweeper.spec.ts. */

jest.setTimeout(60_000);

const HEALTH = resolve(__dirname, '../../dist/apps/cleanup/src/health.js');
const deployment = new TestDeployment();
let directory: string;
let redis: TestRedis;

beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sandbox-cleanup-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function healthExitCode(): number | null {
  return spawnSync(process.execPath, [HEALTH], { env: { TMPDIR: directory } }).status;
}

it('the cleanup worker is healthy when it has swept, and ends on SIGTERM', async () => {
  expect(healthExitCode()).toBe(1);
  const worker = await startCleanup({ deployment, redis, env: { TMPDIR: directory, DEBUG: 'true' } });
  try {
    await eventually('the worker is healthy', async () => healthExitCode() === 0);
  } finally {
    expect(await worker.stop()).toBe(0);
  }
  const lines = worker.output.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as { msg: string })).toContainEqual(
    expect.objectContaining({ msg: 'swept', complete: true }),
  );
});

it('the cleanup worker stays healthy when Docker is away', async () => {
  const worker = await startCleanup({ deployment, redis, env: { TMPDIR: directory, DOCKER_HOST: `unix://${directory}/docker.sock` } });
  try {
    await eventually('it has tried', async () => worker.output.includes('sweep not finished'));
    await eventually('the worker is healthy', async () => healthExitCode() === 0);
  } finally {
    expect(await worker.stop()).toBe(0);
  }
});

it('the cleanup worker refuses to start when the store is in memory', async () => {
  const worker = await startCleanup({ deployment, env: { TMPDIR: directory } });
  expect(await worker.exited).toBe(78);
  expect(worker.output).toContain('SESSION_STORE must be redis here');
});
