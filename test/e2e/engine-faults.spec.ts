import { TestEngine } from '../support/service/engine';
import { eventually } from '../support/service/processes';
import { ALICE, type Client, Service, TestDeployment } from '../support/service/service';

jest.setTimeout(300_000);

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
      expect((await call).body.code).toMatch(/^(SANDBOX_LOST|SANDBOX_UNRESPONSIVE)$/);
      const away = await alice.execute(session, 'true');
      expect(away).toMatchObject({ status: 503, body: { code: 'RUNTIME_UNAVAILABLE' } });
      expect(away.headers.get('retry-after')).toMatch(/^\d+$/);
      const ready = await alice.request('GET', '/ready');
      expect(ready.status).toBe(503);
      expect(JSON.stringify(ready.body)).toContain('docker');
      await engine.up();
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
      expect(warm.body.code).toMatch(/^SANDBOX_/);
      expect(cold).toMatchObject({ status: 503 });
    } finally {
      engine.signal('SIGCONT');
    }
    await eventually('it answers again', async () => (await alice.execute('hang', 'true')).status === 200);
    expect((await alice.run('hang', 'cat file')).stdout).toBe('kept\n');
  });
});
