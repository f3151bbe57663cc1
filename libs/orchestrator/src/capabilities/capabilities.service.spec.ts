import { createCommandPolicy } from '@sandbox/command-policy';
import { loadConfig } from '@sandbox/config';
import { createSessionStore, sessionRef } from '@sandbox/sessions';
import type { ImageProbe } from '../readiness/image-probe';
import type { SandboxRuntime } from '../runtime/sandbox-runtime';
import { CapabilitiesService } from './capabilities.service';

const USER = { id: 'jwt:u' };
const never = (): Promise<never> => new Promise(() => undefined);

function setUp(env: Record<string, string> = {}) {
  const config = loadConfig({ SESSION_STORE: 'memory', CONTAINER_IMAGE: 'usual', ...env }, { needsAuth: false });
  const store = createSessionStore(config);
  const images = { probe: jest.fn(async (_image?: string) => ({ transport: 'direct', programs: ['bash', 'ls', 'mytool', 'sh'] })) };
  const runtime = {
    capabilities: { pids: true },
    networkRefusal: jest.fn((): string | null => null),
    diskBound: jest.fn(async () => 'measured'),
  };
  const policy = createCommandPolicy(config.ALLOWED_COMMANDS);
  const service = new CapabilitiesService(config, policy, store, runtime as unknown as SandboxRuntime, images as unknown as ImageProbe);
  return { service, store, config, images, runtime };
}

describe('CapabilitiesService', () => {
  it('tells the settings when it is asked', async () => {
    const { service } = setUp({
      MAX_EXEC_TIMEOUT_SECONDS: '77',
      MAX_SESSION_DISK: '2g',
      MAX_SESSION_MEMORY: '1g',
      EGRESS_ALLOW: 'packages,x.org',
    });
    const { policy, ...told } = await service.describeFor(USER);
    expect(told).toEqual({
      image: { name: 'usual', programs: ['bash', 'ls', 'sh'], shells: ['auto', 'sh', 'bash'] },
      images: ['usual'],
      commands: {
        default_timeout: 30,
        max_timeout: 77,
        max_output_bytes: 1024 ** 2,
        default_shell: 'auto',
        max_per_session: 32,
        max_per_user: 64,
      },
      jobs: { max_timeout: 3600, max_output_bytes: 8 * 1024 ** 2, max_per_session: 16 },
      files: { max_bytes: 1024 ** 2, archive_max_bytes: 256 * 1024 ** 2, archive_max_entries: 100_000 },
      sandbox: {
        default: { memory: '256m', cpus: 0.5, pids: 128, disk: null },
        max: { memory: '1g', cpus: 0.5, pids: 128, disk: '2g' },
        tmp: '64m',
        workspace_in_memory: '128m',
      },
      workspace: { persistent: 'never', disk_bound: 'measured' },
      sessions: { default_ttl_seconds: 600, max_ttl_seconds: 86_400, max: 20, left: 20 },
      idempotency: { keep_seconds: 86_400, outlives_restart: false, max_answer_bytes: 256 * 1024 },
      network: { allow: ['packages', 'x.org'], default: [], presets: ['packages'], mirrors: [], max_bytes: null, refusal: null },
    });
    expect(policy).toEqual({ mode: 'guard-rail', allowed: expect.arrayContaining(['ls', 'python3']) });
  });

  it('tells no most of processes when the runtime bounds none', async () => {
    const { service, runtime } = setUp({ MAX_SESSION_PIDS: '512' });
    runtime.capabilities.pids = false;
    const { sandbox } = await service.describeFor(USER);
    expect([sandbox.default.pids, sandbox.max.pids]).toEqual([null, null]);
  });

  it('offers no network, and says why, when the runtime has none', async () => {
    const { service, runtime } = setUp({ EGRESS_ALLOW: 'packages', EGRESS_DEFAULT: 'pypi.org' });
    runtime.networkRefusal.mockReturnValue('it is not allowed');
    expect((await service.describeFor(USER)).network).toMatchObject({ allow: [], default: [], presets: [], refusal: 'it is not allowed' });
  });

  it('tells which ecosystems have a mirror, and that sessions may reach it, when there are mirrors', async () => {
    const { service } = setUp({ EGRESS_MIRRORS: 'npm=https://m.test/npm/,go=https://m.test:8443/' });
    const rules = ['m.test:443', 'm.test:8443'];
    expect((await service.describeFor(USER)).network).toMatchObject({ allow: rules, default: rules, presets: [], mirrors: ['npm', 'go'] });
  });

  it('tells how many sessions are left to the user, and counts nobody else’s', async () => {
    const { service, store, config } = setUp({ MAX_SESSIONS_PER_USER: '2' });
    const begin = async (id: string, session: string): Promise<void> => {
      const now = store.now();
      await store.beginCall(sessionRef(config.DEPLOYMENT, { id }, session), { callId: session, deadline: now }, now);
    };
    await begin('jwt:v', 'a');
    await begin('jwt:v', 'b');
    await begin('jwt:u', 'a');
    expect((await service.describeFor(USER)).sessions).toMatchObject({ max: 2, left: 1 });
    await begin('jwt:u', 'b');
    expect((await service.describeFor(USER)).sessions.left).toBe(0);
  });

  it('lists every program of the image when the policy is off', async () => {
    const { image, policy } = await setUp({ ALLOWED_COMMANDS: '*' }).service.describeFor(USER);
    expect(image.programs).toEqual(['bash', 'ls', 'mytool', 'sh']);
    expect(policy).toEqual({ mode: 'off', allowed: [] });
  });

  it('names the shells of the image alone', async () => {
    const { service, images } = setUp();
    images.probe.mockResolvedValue({ transport: 'direct', programs: ['ls', 'sh'] });
    expect((await service.describeFor(USER)).image.shells).toEqual(['auto', 'sh']);
  });

  it('lists the programs of another image only when the operator allows it', async () => {
    const { service, images } = setUp({ ALLOWED_IMAGES: 'another' });
    expect(await service.describeFor(USER, 'another')).toMatchObject({ image: { name: 'another' }, images: ['usual', 'another'] });
    expect(images.probe).toHaveBeenLastCalledWith('another');
    await expect(service.describeFor(USER, 'third')).rejects.toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field: 'image' }] });
    expect(images.probe).toHaveBeenCalledTimes(1);
  });

  it('answers without what the engine knows when the engine fails or is silent', async () => {
    const { service, images, runtime } = setUp({ MAX_SESSION_DISK: '2g' });
    const unknown = { image: { name: 'usual', programs: null, shells: null }, workspace: { disk_bound: null } };
    images.probe.mockRejectedValueOnce(new Error('away'));
    runtime.diskBound.mockRejectedValueOnce(new Error('away'));
    expect(await service.describeFor(USER)).toMatchObject(unknown);
    jest.useFakeTimers();
    images.probe.mockImplementationOnce(never);
    runtime.diskBound.mockImplementationOnce(never);
    const answer = service.describeFor(USER);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(await answer).toMatchObject(unknown);
    jest.useRealTimers();
  });

  it('says that nothing bounds a disk when no session can have one', async () => {
    expect((await setUp().service.describeFor(USER)).workspace).toEqual({ persistent: 'never', disk_bound: null });
    const persistent = setUp({ ALLOW_PERSISTENT_SESSIONS: 'true' });
    expect((await persistent.service.describeFor(USER)).workspace).toEqual({ persistent: 'on_request', disk_bound: 'measured' });
  });
});
