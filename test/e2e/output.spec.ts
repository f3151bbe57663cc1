import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, ONE_PROCESS } from '../support/service/cluster';

jest.setTimeout(120_000);

describe('The service, at endless output,', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(ONE_PROCESS);
    await cluster.alice.run('output', 'true');
  });
  afterAll(() => cluster?.stop());

  const residentMiB = (): number => {
    const status = readFileSync(`/proc/${cluster.services[0]!.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
  };

  /**
   * @returns by how many MiB the API's memory grows at most while `call` runs, and whether /health
   *   answered all along
   */
  async function during<T>(call: Promise<T>): Promise<{ result: T; grown: number; healthy: boolean }> {
    const before = residentMiB();
    let grown = 0;
    let healthy = true;
    let going = true;
    const watch = (async () => {
      while (going) {
        grown = Math.max(grown, residentMiB() - before);
        healthy &&= (await cluster.alice.request('GET', '/health')).status === 200;
        await sleep(20);
      }
    })();
    const result = await call;
    going = false;
    await watch;
    return { result, grown, healthy };
  }

  it('cuts output, and keeps none of it in memory, when it has 200 MB', async () => {
    const { result, grown, healthy } = await during(cluster.alice.run('output', 'head -c 200M /dev/zero; echo end', { timeout: 60 }));
    expect(result).toMatchObject({ exit_code: 0, timed_out: false, truncated: true });
    expect(result.stdout.endsWith('\0end\n')).toBe(true);
    expect(result.stdout).toContain(`\n[... ${200 * 1024 * 1024 + 4 - 1024 * 1024} bytes omitted ...]\n`);
    expect(grown).toBeLessThan(64);
    expect(healthy).toBe(true);
  });

  it('answers both ends at the timeout when the command is `yes`', async () => {
    const { result, grown, healthy } = await during(cluster.alice.run('output', 'yes; echo never', { timeout: 3 }));
    expect(result).toMatchObject({ timed_out: true, exit_code: 124, truncated: true });
    expect(result.stdout).toMatch(/^(y\n)+\n?\[\.\.\. \d+ bytes omitted \.\.\.\]\n(y?\n)+y?$/);
    expect(grown).toBeLessThan(64);
    expect(healthy).toBe(true);
  });
});
