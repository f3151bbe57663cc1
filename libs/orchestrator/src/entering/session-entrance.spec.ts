import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadConfig } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { createSessionStore, sessionRef, type SessionStore } from '@sandbox/sessions';
import { connectTo } from '../runtime/agent-channel';
import { RequestNotSentError } from '../channel/channel';
import type { SandboxOwner, SandboxRuntime } from '../runtime/sandbox-runtime';
import { type OpenSandbox, SessionConnections } from './session-connections';
import { SessionEntrance } from './session-entrance';
import { FakeSandboxes } from './testing/fake-sandboxes';
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
    const sandboxes = new SessionEntrance(config, store, runtime, new SessionConnections(config, store, runtime, pool));
    begun.push(sandboxes);
    return sandboxes;
  }

  const enter = (sandboxes = processes[0]!, work: (sandbox: OpenSandbox) => Promise<News> = told): Promise<News> =>
    sandboxes.enterSession(REF, 1_000, work);

  it('leaves a place for others beside a user whose sandboxes do not come to be', async () => {
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

  describe('tells one call that it made the session', () => {
    it('the first, and no later one, whichever process serves it', async () => {
      expect(await enter()).toEqual(CREATED);
      for (const sandboxes of [...processes, ...processes]) expect(await enter(sandboxes)).toEqual(NOTHING);
    });

    it('of ten at once', async () => {
      const all = await Promise.all(Array.from({ length: 10 }, (_, n) => enter(processes[n % 2])));
      expect(all.filter(({ created }) => created)).toHaveLength(1);
      expect(all.filter(({ restarted }) => restarted)).toHaveLength(0);
    });

    it('when its sandbox came from the pool', async () => {
      const claim = jest.fn(async ({ key }: SandboxOwner) => connectTo(engine.runtime, engine.make(key, true).sandbox));
      const sandboxes = begin({ claimSandbox: claim } as unknown as WarmPool);
      expect(await enter(sandboxes)).toEqual(CREATED);
      expect(await enter(sandboxes)).toEqual(NOTHING);
      expect(claim).toHaveBeenCalledTimes(1);
    });

    it('when its channel is closed before anything was sent, and it has to enter anew', async () => {
      const work = jest.fn(told).mockImplementationOnce(async () => {
        await engine.breakChannels(REF.key);
        throw new RequestNotSentError();
      });
      expect(await enter(processes[0], work)).toEqual(CREATED);
      expect(work).toHaveBeenCalledTimes(2);
      expect(await enter()).toEqual(NOTHING);
    });

    it.each(['exec', 'startOf'] as const)('when the sandbox is there and its agent is lost on the way (%s)', async (call) => {
      engine.before[call] = () => {
        delete engine.before[call];
        throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The agent is gone.');
      };
      expect(await enter()).toEqual(CREATED);
    });

    it('when the store forgets the session while its sandbox is made', async () => {
      engine.before.exec = async () => {
        delete engine.before.exec;
        await store.removeSession(REF.key);
      };
      expect(await enter()).toEqual(CREATED);
      expect(await enter()).toEqual(NOTHING);
    });

    it('the next one, when the one that made the sandbox failed before it was there', async () => {
      engine.before.exec = () => {
        delete engine.before.exec;
        throw new SandboxError(ErrorCode.RUNTIME_UNAVAILABLE, 'The engine is away.');
      };
      await expect(enter()).rejects.toMatchObject({ code: ErrorCode.RUNTIME_UNAVAILABLE });
      expect(await enter()).toEqual(CREATED);
    });

    it('the maker, when another process comes upon the sandbox first', async () => {
      let other: Promise<News> | undefined;
      engine.before.exec = async () => {
        delete engine.before.exec;
        other = enter(processes[1]);
        await other;
      };
      expect(await enter()).toEqual(CREATED);
      expect(await other).toEqual(NOTHING);
    });

    it('but not when it was the store alone that had forgotten it', async () => {
      await enter();
      await store.removeSession(REF.key);
      expect(await enter(processes[1])).toEqual(NOTHING);
      expect(await enter()).toEqual(NOTHING);
    });

    it('and again when the session has ended and is made anew', async () => {
      await enter();
      await engine.remove(REF.key);
      await store.removeSession(REF.key);
      expect(await enter()).toEqual(CREATED);
    });
  });

  describe('tells one call that the sandbox is another', () => {
    beforeEach(async () => {
      await enter();
      await enter(processes[1]);
    });

    it('when it had to be made anew', async () => {
      await engine.remove(REF.key);
      expect(await enter(processes[1])).toEqual(RESTARTED);
      for (const sandboxes of processes) expect(await enter(sandboxes)).toEqual(NOTHING);
    });

    it('when it was started anew under the same id', async () => {
      await engine.restart(REF.key);
      const all = await Promise.all(Array.from({ length: 6 }, (_, n) => enter(processes[n % 2])));
      expect(all.filter(({ restarted }) => restarted)).toHaveLength(1);
      expect(all.filter(({ created }) => created)).toHaveLength(0);
      for (const sandboxes of processes) expect(await enter(sandboxes)).toEqual(NOTHING);
    });

    it('when it was started anew while the process that had it was away', async () => {
      await engine.restart(REF.key);
      expect(await enter(begin())).toEqual(RESTARTED);
    });

    it('when it was started anew and the store has forgotten the session', async () => {
      await engine.restart(REF.key);
      await store.removeSession(REF.key);
      const teller = begin();
      expect(await enter(teller)).toEqual(RESTARTED);
      expect(await enter()).toEqual(NOTHING);
      // Who has told the store of this start does not tell it anew.
      await store.removeSession(REF.key);
      expect(await enter(teller)).toEqual(NOTHING);
    });

    it('when it is started anew between the look at it and the channel into it', async () => {
      await engine.breakChannels(REF.key);
      engine.before.exec = async () => {
        delete engine.before.exec;
        await engine.restart(REF.key);
      };
      expect(await enter()).toEqual(RESTARTED);
    });

    it('but not when the agent alone was lost', async () => {
      await engine.breakChannels(REF.key);
      for (const sandboxes of processes) expect(await enter(sandboxes)).toEqual(NOTHING);
    });

    it('through a channel into the new start, also before the end of the old one has come through', async () => {
      const startOf = (sandboxes: SessionEntrance): Promise<string> => sandboxes.enterSession(REF, 1_000, async ({ startId }) => startId);
      engine.startAgain(REF.key);
      expect(await startOf(begin())).toBe('first again');
      expect(await startOf(processes[0]!)).toBe('first again');
    });
  });

  describe('says in an error why what was looked for is not there', () => {
    const fail = (code: ErrorCode) => async (): Promise<never> => {
      throw new SandboxError(code, 'Not there.', { retryAfter: 3 });
    };

    it.each([
      [ErrorCode.NOT_FOUND, 'Not there. This call made the session, so its workspace is empty.'],
      [ErrorCode.INVALID_WORKING_DIR, 'Not there. This call made the session, so its workspace is empty.'],
      [ErrorCode.COMMAND_NOT_ALLOWED, 'Not there. This call made the session, so its workspace is empty.'],
      [ErrorCode.JOB_NOT_FOUND, 'Not there. This call made the session, so it has no jobs yet.'],
      [ErrorCode.PERMISSION_DENIED, 'Not there.'],
    ])('when the call made the session: %s', async (code, message) => {
      await expect(enter(processes[0], fail(code))).rejects.toMatchObject({ code, message, retryAfter: 3 });
      await expect(enter(processes[0], fail(code))).rejects.toMatchObject({ code, message: 'Not there.' });
    });

    it('when the sandbox was started anew, which a command still says', async () => {
      await enter();
      await engine.restart(REF.key);
      await expect(enter(processes[0], fail(ErrorCode.NOT_FOUND))).rejects.toThrow(/made anew, so its earlier files are gone\.$/);
      expect(await enter()).toEqual(RESTARTED);
      await expect(enter(processes[0], fail(ErrorCode.NOT_FOUND))).rejects.toThrow(/^Not there\.$/);
    });
  });
});
