import { TestApp } from '../../../../test/support/test-app';

const POOL = { size: 4, hits: 2, misses: 1 };

describe('Health routes', () => {
  let app: TestApp;
  const check = jest.fn();

  beforeAll(async () => {
    app = await TestApp.start({
      readiness: { checkReadiness: check, pool: POOL, transport: 'direct', disk: 'measured', ignoredSettings: ['A'] },
    });
  });
  beforeEach(() => check.mockReset());
  afterAll(() => app.stop());

  // Without a credential.
  const get = async (path: string): Promise<[number, unknown]> => {
    const response = await fetch(app.url + path);
    return [response.status, await response.json()];
  };

  it('answers that it is healthy, and checks nothing, when /health is asked for', async () => {
    expect(await get('/health')).toEqual([200, { status: 'ok' }]);
    expect(check).not.toHaveBeenCalled();
  });

  it('answers that it is ready when everything is there', async () => {
    const checks = { docker: 'ok', store: 'ok', image: 'ok' };
    check.mockResolvedValue(checks);
    expect(await get('/ready')).toEqual([
      200,
      { status: 'ready', checks, pool: POOL, channel: 'direct', disk: 'measured', ignored_settings: ['A'] },
    ]);
  });

  it('names what is missing when it is not ready', async () => {
    const checks = { docker: 'not available', store: 'ok', image: 'not available' };
    check.mockResolvedValue(checks);
    expect(await get('/ready')).toEqual([503, expect.objectContaining({ code: 'NOT_READY', detail: 'Not ready: docker, image.', checks })]);
  });
});
