import { Cluster, SETUPS } from '../support/service/cluster';
import { eventually, type ServiceProcess } from '../support/service/processes';
import { startCleanup } from '../support/service/service';

jest.setTimeout(240_000);

/** So short that a session expires, and is removed, within a test. */
const ENV = { WORKSPACE_PERSIST_VOLUMES: 'true', SESSION_TTL_SECONDS: '1', CLEANUP_INTERVAL_SECONDS: '1' };

describe.each(SETUPS)('A persistent workspace (%s)', (setup) => {
  let cluster: Cluster;
  let cleanup: ServiceProcess | undefined;

  beforeAll(async () => {
    cluster = await Cluster.start(setup, ENV);
    cleanup = cluster.redis && (await startCleanup({ deployment: cluster.deployment, redis: cluster.redis, env: ENV }));
  });
  afterAll(async () => {
    await cleanup?.stop();
    await cluster?.stop();
  });

  it('outlives its container, and is removed only when its user deletes it', async () => {
    const { alice } = cluster;
    const content = alice.workspace('kept', 'dir/file', true);
    expect((await alice.request('PUT', content, { content: 'from before' })).status).toBe(204);
    const { container_id } = await alice.run('kept', 'echo more >> dir/file');
    await eventually('the container has expired', async () => (await cluster.deployment.containers()).length === 0);
    expect(await cluster.deployment.volumes()).toHaveLength(1);

    // This is a new session with the old name. So it does not count as a restart.
    const after = await cluster.alice.run('kept', 'cat dir/file; id -u; touch writable');
    expect(after).toMatchObject({ stdout: 'from beforemore\n1000\n', exit_code: 0, session_restarted: false });
    expect(after.container_id).not.toBe(container_id);
    expect((await cluster.bob.run('kept', 'ls')).stdout).toBe('');

    expect((await cluster.alice.deleteSession('kept')).status).toBe(200);
    expect(await cluster.deployment.volumes()).toHaveLength(1);
    expect((await cluster.bob.deleteSession('kept')).status).toBe(200);
    expect(await cluster.deployment.volumes()).toEqual([]);
    expect((await cluster.alice.run('kept', 'ls')).stdout).toBe('');
    await cluster.alice.deleteSession('kept');
  });

  it('is deleted when its container has expired before', async () => {
    await cluster.alice.run('later', 'echo x > file');
    await eventually('the container has expired', async () => (await cluster.deployment.containers()).length === 0);
    expect(await cluster.deployment.volumes()).toHaveLength(1);
    expect((await cluster.alice.deleteSession('later')).status).toBe(200);
    expect(await cluster.deployment.volumes()).toEqual([]);
  });
});
