import { docker, TestDeployment } from '../support/service/deployment';
import { ALICE, Service } from '../support/service/service';
import { eventually } from '../support/service/processes';
import { TEST_IMAGE } from '../support/engine-under-test';

jest.setTimeout(120_000);

/**
 * An image for sandboxes needs `sh` and python3. Both /ready and the first call say so if one is
 * missing.
 */
describe('The service, for an image that cannot be used,', () => {
  const deployment = new TestDeployment();
  const without = `${deployment.name}-without-python`;

  beforeAll(async () => {
    const script = 'rm -f /usr/bin/python3* /usr/local/bin/python3*';
    const container = await docker.createContainer({ Image: TEST_IMAGE, User: '0', Entrypoint: ['sh', '-c', script], Cmd: [] });
    await container.start();
    await container.wait();
    await container.commit({ repo: without });
    await container.remove();
  });
  afterAll(async () => {
    await deployment.removeAll();
    await docker.getImage(without).remove();
  });

  it.each([
    ['has no python3', without, /no python3/],
    ['is not on the engine', `${deployment.name}-absent`, /is not on the container engine/],
  ])('says why when the image %s', async (_, image, reason) => {
    const service = await Service.start({ deployment, env: { CONTAINER_IMAGE: image } });
    try {
      const alice = service.client(ALICE);
      const ready = await eventually('the image has been tried', async () => {
        const answer = await alice.request<{ checks: Record<string, string> }>('GET', '/ready');
        return answer.body.checks.image !== 'no answer in time' && answer;
      });
      expect(ready.status).toBe(503);
      expect(ready.body.checks).toMatchObject({ docker: 'ok', store: 'ok', image: expect.stringMatching(reason) });
      const first = await alice.execute('first', 'echo x');
      expect(first).toMatchObject({ status: 503, body: { code: 'SANDBOX_IMAGE_UNUSABLE', detail: expect.stringMatching(reason) } });
    } finally {
      await service.stop('SIGKILL');
    }
  });
});
