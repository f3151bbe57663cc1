import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadConfig } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { createSessionStore, sessionRef, type SessionStore } from '@sandbox/sessions';
import { connectTo } from '../runtime/start-agent';
import { RequestNotSentError } from '../channel/channel';
import type { SandboxOwner, SandboxRuntime } from '../runtime/sandbox-runtime';
import type { OpenSandbox } from './open-sandbox';
import { SessionConnections } from './session-connections';
import { SessionEntrance } from './session-entrance';
import { FakeSandboxes } from './testing/fake-sandboxes';
import { OutgoingNetwork } from '../outgoing/outgoing-network';
import type { WarmPool } from '../pool/warm-pool';

const config = loadConfig({ SESSION_STORE: 'memory', CREATE_CONCURRENCY: '3' }, { needsAuth: false });
const refOf = (user: string, session = 's') => sessionRef(config.DEPLOYMENT, { id: user }, session);
const REF = refOf('jwt:user');
const NO_POOL = { claimSandbox: async () => null } as unknown as WarmPool;

/** What a call learns of its session. */
interface News {
  created: boolean;
  restarted: boolean;
}
const NOTHING: News = { created: false, restarted: false };
const CREATED: News = { created: true, restarted: false };
const RESTARTED: News = { created: false, restarted: true };
const told = async ({ created, takeRestarted }: OpenSandbox): Promise<News> => ({ created, restarted: await takeRestarted() });

describe('SessionEntrance', () => {
  let engine: FakeSandboxes;
  let store: SessionStore;
  /** Two processes that share an engine and a store. */
  let processes: SessionEntrance[];
  const begun: SessionEntrance[] = [];

  beforeEach(() => {
    engine = new FakeSandboxes();
    store = createSessionStore(config);
    processes = [begin(), begin()];
  });
  afterEach(() => Promise.all(begun.splice(0).map((each) => each.onApplicationShutdown())));

  function begin(pool = NO_POOL, runtime = engine.runtime): SessionEntrance {
    const sandboxes = new SessionEntrance(
      config,
      store,
      runtime,
      new SessionConnections(config, store, runtime, pool, new OutgoingNetwork(config, store)),
    );
    begun.push(sandboxes);
    return sandboxes;
  }

  const enter = (sandboxes = processes[0]!, work: (sandbox: OpenSandbox) => Promise<News> = told): Promise<News> =>
    sandboxes.enterSession(REF, 1_000, work);

  it('makes no session when the user’s calls enter live sessions only', async () => {
    const ref = sessionRef(config.DEPLOYMENT, { id: 'jwt:user', onlyLive: true }, 's');
    const enterLive = (): Promise<News> => processes[0]!.enterSession(ref, 1_000, told);
    await expect(enterLive()).rejects.toMatchObject({ code: ErrorCode.SESSION_NOT_FOUND });
    expect(await enter()).toEqual(CREATED);
    expect(await enterLive()).toEqual(NOTHING);
  });

  it('holds a session for some minutes at a time when a call may take an hour', async () => {
    const [began, goesOn] = [jest.spyOn(store, 'beginCall'), jest.spyOn(store, 'resumeCall')];
    const clock = jest.spyOn(store, 'now');
    await processes[0]!.enterSession(REF, 3_600_000, async () => {
      const first = began.mock.calls[0]![1].deadline - store.now();
      expect([first > 60_000, first <= 330_000]).toEqual([true, true]);
      clock.mockReturnValue(store.now() + 100_000);
      // As it does every five seconds.
      await processes[0]!['reassertCalls']();
      expect(goesOn.mock.calls[0]![1].deadline - began.mock.calls[0]![1].deadline).toBeGreaterThan(99_000);
      clock.mockReturnValue(store.now() + 3_500_000);
      await processes[0]!['reassertCalls']();
      // It has to be over by then.
      expect(goesOn.mock.calls[1]![1].deadline - store.now()).toBeLessThan(100_000);
    });
  });

  it('lets another user in when one user’s sandboxes do not start', async () => {
    const asked: string[] = [];
    const runtime = {
      ensureSandbox: ({ userKey }: SandboxOwner) => {
        asked.push(userKey);
        return new Promise(() => undefined);
      },
    } as unknown as SandboxRuntime;
    const sandboxes = begin(NO_POOL, runtime);
    const enterAs = (user: string, session: string): void => {
      sandboxes.enterSession(refOf(user, session), 1_000, async () => undefined).catch(() => undefined);
    };
    for (let n = 0; n < 5; n++) enterAs('jwt:slow', `s${n}`);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    enterAs('jwt:other', 's');
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    const [slow, other] = ['jwt:slow', 'jwt:other'].map((user) => refOf(user).userKey);
    expect(asked).toEqual([slow, slow, other]);
  });

  describe('for a session that a call makes,', () => {
    it('tells only the first call that it made the session, in every process', async () => {
      expect(await enter()).toEqual(CREATED);
      for (const sandboxes of [...processes, ...processes]) expect(await enter(sandboxes)).toEqual(NOTHING);
    });

    it('tells one of ten calls when they come at once', async () => {
      const all = await Promise.all(Array.from({ length: 10 }, (_, n) => enter(processes[n % 2])));
      expect(all.filter(({ created }) => created)).toHaveLength(1);
      expect(all.filter(({ restarted }) => restarted)).toHaveLength(0);
    });

    it('tells the call when the sandbox came from the pool', async () => {
      const claim = jest.fn(async ({ key }: SandboxOwner) => connectTo(engine.runtime, engine.make(key, true).sandbox));
      const sandboxes = begin({ claimSandbox: claim } as unknown as WarmPool);
      expect(await enter(sandboxes)).toEqual(CREATED);
      expect(await enter(sandboxes)).toEqual(NOTHING);
      expect(claim).toHaveBeenCalledTimes(1);
    });

    it('tells the call when its channel closed before anything was sent and it enters again', async () => {
      const work = jest.fn(told).mockImplementationOnce(async () => {
        await engine.breakChannels(REF.key);
        throw new RequestNotSentError();
      });
      expect(await enter(processes[0], work)).toEqual(CREATED);
      expect(work).toHaveBeenCalledTimes(2);
      expect(await enter()).toEqual(NOTHING);
    });

    it.each(['exec', 'startOf'] as const)('tells the call when its agent is lost on the way to the sandbox (%s)', async (call) => {
      engine.before[call] = () => {
        delete engine.before[call];
        throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The agent is gone.');
      };
      expect(await enter()).toEqual(CREATED);
    });

    it('tells the call when the store forgets the session while the sandbox is made', async () => {
      engine.before.exec = async () => {
        delete engine.before.exec;
        await store.removeSession(REF.key);
      };
      expect(await enter()).toEqual(CREATED);
      expect(await enter()).toEqual(NOTHING);
    });

    it('tells the next call when the one that made the sandbox failed', async () => {
      engine.before.exec = () => {
        delete engine.before.exec;
        throw new SandboxError(ErrorCode.RUNTIME_UNAVAILABLE, 'The engine is away.');
      };
      await expect(enter()).rejects.toMatchObject({ code: ErrorCode.RUNTIME_UNAVAILABLE });
      expect(await enter()).toEqual(CREATED);
    });

    it('tells the call that made the sandbox when another process finds it first', async () => {
      let other: Promise<News> | undefined;
      engine.before.exec = async () => {
        delete engine.before.exec;
        other = enter(processes[1]);
        await other;
      };
      expect(await enter()).toEqual(CREATED);
      expect(await other).toEqual(NOTHING);
    });

    it('tells no call when only the store had forgotten the session', async () => {
      await enter();
      await store.removeSession(REF.key);
      expect(await enter(processes[1])).toEqual(NOTHING);
      expect(await enter()).toEqual(NOTHING);
    });

    it('tells the next call when the session has ended and is made again', async () => {
      await enter();
      await engine.remove(REF.key);
      await store.removeSession(REF.key);
      expect(await enter()).toEqual(CREATED);
    });
  });

  describe('for a sandbox that was replaced or restarted,', () => {
    beforeEach(async () => {
      await enter();
      await enter(processes[1]);
    });

    it('tells one call when the sandbox had to be made again', async () => {
      await engine.remove(REF.key);
      expect(await enter(processes[1])).toEqual(RESTARTED);
      for (const sandboxes of processes) expect(await enter(sandboxes)).toEqual(NOTHING);
    });

    it('tells one of six calls when the sandbox was restarted under the same id', async () => {
      await engine.restart(REF.key);
      const all = await Promise.all(Array.from({ length: 6 }, (_, n) => enter(processes[n % 2])));
      expect(all.filter(({ restarted }) => restarted)).toHaveLength(1);
      expect(all.filter(({ created }) => created)).toHaveLength(0);
      for (const sandboxes of processes) expect(await enter(sandboxes)).toEqual(NOTHING);
    });

    it('tells a new process when the sandbox was restarted while no process looked', async () => {
      await engine.restart(REF.key);
      expect(await enter(begin())).toEqual(RESTARTED);
    });

    it('tells one call when the sandbox was restarted and the store has forgotten the session', async () => {
      await engine.restart(REF.key);
      await store.removeSession(REF.key);
      const teller = begin();
      expect(await enter(teller)).toEqual(RESTARTED);
      expect(await enter()).toEqual(NOTHING);
      // Who has told the store of this start does not tell it anew.
      await store.removeSession(REF.key);
      expect(await enter(teller)).toEqual(NOTHING);
    });

    it('tells the call when the sandbox restarts between the look at it and the channel into it', async () => {
      await engine.breakChannels(REF.key);
      engine.before.exec = async () => {
        delete engine.before.exec;
        await engine.restart(REF.key);
      };
      expect(await enter()).toEqual(RESTARTED);
    });

    it('tells no call when only the agent was lost', async () => {
      await engine.breakChannels(REF.key);
      for (const sandboxes of processes) expect(await enter(sandboxes)).toEqual(NOTHING);
    });

    it('gives the id of the new start when the end of the old one has not come through yet', async () => {
      const startOf = (sandboxes: SessionEntrance): Promise<string> => sandboxes.enterSession(REF, 1_000, async ({ startId }) => startId);
      engine.startAgain(REF.key);
      expect(await startOf(begin())).toBe('first again');
      expect(await startOf(processes[0]!)).toBe('first again');
    });
  });

  describe('for a call that fails,', () => {
    const fail = (code: ErrorCode) => async (): Promise<never> => {
      throw new SandboxError(code, 'Not there.', { retryAfter: 3 });
    };

    it.each([
      [ErrorCode.NOT_FOUND, 'Not there. This call made the session, so its workspace is empty.'],
      [ErrorCode.INVALID_WORKING_DIR, 'Not there. This call made the session, so its workspace is empty.'],
      [ErrorCode.COMMAND_NOT_ALLOWED, 'Not there. This call made the session, so its workspace is empty.'],
      [ErrorCode.JOB_NOT_FOUND, 'Not there. This call made the session, so it has no jobs yet.'],
      [ErrorCode.PERMISSION_DENIED, 'Not there.'],
    ])('says in the error that the session is new when that explains it: %s', async (code, message) => {
      await expect(enter(processes[0], fail(code))).rejects.toMatchObject({ code, message, retryAfter: 3 });
      await expect(enter(processes[0], fail(code))).rejects.toMatchObject({ code, message: 'Not there.' });
    });

    it('says in the error that files are gone when the sandbox was restarted, and still tells a later call', async () => {
      await enter();
      await engine.restart(REF.key);
      await expect(enter(processes[0], fail(ErrorCode.NOT_FOUND))).rejects.toThrow(/made anew, so its earlier files are gone\.$/);
      expect(await enter()).toEqual(RESTARTED);
      await expect(enter(processes[0], fail(ErrorCode.NOT_FOUND))).rejects.toThrow(/^Not there\.$/);
    });
  });
});
