import { TEST_CHANNEL } from '../support/engine-under-test';
import { TestEngine } from '../support/service/engine';
import { eventually } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, type Client, Service } from '../support/service/service';

jest.setTimeout(300_000);

const LOST = /^(SANDBOX_LOST|SANDBOX_UNRESPONSIVE)$/;

(TestEngine.possible ? describe : describe.skip)('The service, at faults of the engine (needs root on Linux),', () => {
  let engine: TestEngine;
  let service: Service;
  let alice: Client;

  beforeAll(async () => {
    engine = await TestEngine.start();
    const env = { DOCKER_HOST: engine.host, WORKSPACE_PERSIST_VOLUMES: 'true' };
    service = await Service.start({ deployment: new TestDeployment(), env });
    alice = service.client(ALICE);
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await engine?.stop();
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'ends the command with a typed error, and keeps the files, when the engine restarts after %s',
    async (signal) => {
      const session = `restart ${signal}`;
      await alice.run(session, 'echo kept > file');
      const call = alice.execute(session, 'touch on; sleep 60; echo whole', { timeout: 100 });
      await eventually('it runs', async () => (await alice.run(session, 'test -e on')).exit_code === 0);
      await engine.down(signal);
      // A killed engine leaves its containers running, and kills them when it is up again. Until
      // then, a direct channel still leads into them.
      const reached = TEST_CHANNEL === 'direct' && signal === 'SIGKILL';
      if (reached) expect((await alice.run(session, 'cat file')).stdout).toBe('kept\n');
      else expect((await call).body.code).toMatch(LOST);
      const away = await alice.execute(reached ? `${session}, anew` : session, 'true');
      expect(away).toMatchObject({ status: 503, body: { code: 'RUNTIME_UNAVAILABLE' } });
      expect(away.headers.get('retry-after')).toMatch(/^\d+$/);
      const ready = await alice.request('GET', '/ready');
      expect(ready.status).toBe(503);
      expect(JSON.stringify(ready.body)).toContain('docker');
      await engine.up();
      if (reached) expect((await call).body.code).toMatch(LOST);
      await eventually('it answers again', async () => (await alice.execute(session, 'true')).status === 200);
      expect((await alice.run(session, 'cat file')).stdout).toBe('kept\n');
      expect(await engine.docker.listContainers({ filters: { status: ['running'] } })).toHaveLength(1);
    },
  );

  it('answers a typed error while the engine hangs, and works when it is back', async () => {
    await alice.run('hang', 'echo kept > file');
    await engine.halt();
    try {
      const [warm, cold] = await Promise.all([alice.execute('hang', 'true', { timeout: 5 }), alice.execute('new in a hang', 'true')]);
      // A direct channel does not need the engine.
      if (TEST_CHANNEL === 'direct') expect(warm).toMatchObject({ status: 200 });
      else expect(warm.body.code).toMatch(/^SANDBOX_/);
      expect(cold).toMatchObject({ status: 503 });
    } finally {
      engine.signal('SIGCONT');
    }
    await eventually('it answers again', async () => (await alice.execute('hang', 'true')).status === 200);
    expect((await alice.run('hang', 'cat file')).stdout).toBe('kept\n');
  });
});

(TestEngine.possible ? describe : describe.skip)('The service, on an engine that keeps its containers (needs root on Linux),', () => {
  it('goes on in the same sandbox when the engine restarts, and in the same command over a direct channel', async () => {
    const engine = await TestEngine.start({ keepsContainers: true });
    const service = await Service.start({ deployment: new TestDeployment(), env: { DOCKER_HOST: engine.host } });
    const alice = service.client(ALICE);
    try {
      const { container_id } = await alice.run('s', 'echo kept > file');
      const call = alice.execute('s', 'touch on; while [ ! -e go ]; do sleep 0.2; done; echo whole', { timeout: 100 });
      await eventually('it runs', async () => (await alice.run('s', 'test -e on')).exit_code === 0);
      await engine.down('SIGTERM');
      if (TEST_CHANNEL === 'direct') await alice.run('s', 'touch during');
      else expect((await call).body.code).toMatch(LOST);
      await engine.up();
      await eventually('it answers again', async () => (await alice.execute('s', 'touch go')).status === 200);
      if (TEST_CHANNEL === 'direct') expect((await call).body).toMatchObject({ stdout: 'whole\n' });
      expect(await alice.run('s', 'cat file')).toMatchObject({ stdout: 'kept\n', container_id, session_restarted: false });
    } finally {
      await service.stop('SIGKILL');
      await engine.stop();
    }
  });
});
