import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, SETUPS } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import { startCleanup } from '../support/service/service';

jest.setTimeout(420_000);

describe.each(SETUPS)('The service, at expiry (%s)', (setup) => {
  it('removes a session when it is idle, and never when it is in use', async () => {
    const cluster = await Cluster.start(setup, { SESSION_TTL_SECONDS: '1', CLEANUP_INTERVAL_SECONDS: '1' });
    const cleanup = cluster.redis
      ? await startCleanup({
          deployment: cluster.deployment,
          redis: cluster.redis,
          env: { SESSION_TTL_SECONDS: '1', CLEANUP_INTERVAL_SECONDS: '1' },
        })
      : undefined;
    try {
      await cluster.alice.run('idle', 'true');
      // This command runs longer than its session's time to live.
      const long = cluster.alice.run('busy', 'sleep 6; echo done', { timeout: 20 });
      await eventually('the idle one is gone', async () => (await cluster.deployment.containers()).length === 1);
      expect(await long).toMatchObject({ stdout: 'done\n', timed_out: false });

      // Calls at the moment of expiry: each enters the old session or a new one, and answers.
      const sessions = Array.from({ length: 12 }, (_, i) => `edge ${i}`);
      await Promise.all(
        sessions.map(async (session) => {
          for (let i = 0; i < 5; i++) {
            expect(await cluster.alice.run(session, 'echo here')).toMatchObject({ stdout: 'here\n', exit_code: 0 });
            await sleep(900 + Math.random() * 1200);
          }
        }),
      );
      await eventually('all are gone', async () => (await cluster.deployment.containers()).length === 0);
    } finally {
      await cleanup?.stop();
      await cluster.stop();
    }
  });
});
