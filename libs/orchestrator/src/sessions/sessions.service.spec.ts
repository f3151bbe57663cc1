import { createCommandPolicy } from '@sandbox/command-policy';
import { loadConfig } from '@sandbox/config';
import type { SessionStore } from '@sandbox/sessions';
import type { OpenSandbox } from '../entering/open-sandbox';
import type { SessionEntrance } from '../entering/session-entrance';
import type { SessionRemoval } from '../entering/session-removal';
import { SessionsService } from './sessions.service';

const CONFIG = loadConfig({ SESSION_STORE: 'memory', EGRESS_ALLOW: 'pypi.org' }, { needsAuth: false });
const REFUSAL = 'it is not allowed';
const capabilities = { pids: true, persistent: true, disk: true, ociRuntime: true, ulimits: true };

function setUp(networkRefusal: () => string | null) {
  const network = { givenRules: { allow: ['pypi.org'] } };
  const sandbox = {
    options: {},
    record: { ttlMs: 1000, metadata: {} },
    network,
    containerId: 'c',
    created: true,
    takeRestarted: async () => false,
  };
  const enterSession = jest.fn((_ref, _ms, work: (opened: OpenSandbox) => Promise<unknown>) => work(sandbox as unknown as OpenSandbox));
  const entrance = { enterSession } as unknown as SessionEntrance;
  const runtime = { capabilities, networkRefusal };
  const [store, removal] = [{} as SessionStore, {} as SessionRemoval];
  const service = new SessionsService(CONFIG, store, createCommandPolicy(['*']), runtime, entrance, removal);
  return { create: (allow: string[]) => service.createSession({ id: 'jwt:u' }, 's', { network: { allow } }), enterSession };
}

describe('SessionsService', () => {
  const refused = { code: 'VALIDATION_FAILED', errors: [{ field: 'network.allow', message: expect.stringContaining(REFUSAL) }] };

  it('makes no session with a network when the runtime has none', async () => {
    const { create, enterSession } = setUp(() => REFUSAL);
    await expect(create(['pypi.org'])).rejects.toMatchObject(refused);
    expect(enterSession).not.toHaveBeenCalled();
  });

  it('refuses a session’s network when its own sandbox was the first to tell', async () => {
    const { create } = setUp(jest.fn<string | null, []>().mockReturnValueOnce(null).mockReturnValue(REFUSAL));
    await expect(create(['pypi.org'])).rejects.toMatchObject(refused);
  });

  it('answers when the runtime has a network', async () => {
    expect(await setUp(() => null).create(['pypi.org'])).toMatchObject({ session_id: 's', session_created: true });
  });
});
