import { loadConfig } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { createSessionStore, REQUEST_LEASE_MS, type SessionStore } from '@sandbox/sessions';
import { IdempotencyService, type Outcome } from './idempotency.service';

const CONFIG = loadConfig({ SESSION_STORE: 'memory' }, { needsAuth: false });
const USER = { id: 'jwt:u' };
const GIVEN = { route: 'POST /execute', key: 'k', content: '{}' };
const DONE: Outcome = { status: 200, body: '{}', mayHaveRun: true };

let store: SessionStore;
let now: number;
const opened: IdempotencyService[] = [];

/** The service of another process that shares the store. */
function service(): IdempotencyService {
  const made = new IdempotencyService(CONFIG, store);
  opened.push(made);
  return made;
}

const never = (): Promise<Outcome> => new Promise(() => undefined);
const pass = async (ms: number): Promise<void> => {
  for (let left = ms; left > 0; left -= 1_000) {
    now += 1_000;
    await jest.advanceTimersByTimeAsync(1_000);
  }
};

beforeEach(() => {
  jest.useFakeTimers();
  store = createSessionStore(CONFIG);
  now = store.now();
  jest.spyOn(store, 'now').mockImplementation(() => now);
});
afterEach(() => {
  for (const each of opened.splice(0)) each.onApplicationShutdown();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('IdempotencyService', () => {
  it('says that a request runs for as long as its process lives', async () => {
    void service().answerOnce(USER, GIVEN, never);
    await pass(10 * REQUEST_LEASE_MS);
    await expect(service().answerOnce(USER, GIVEN, never)).rejects.toMatchObject({ code: 'IDEMPOTENCY_RUNNING', retryAfter: 1 });
  });

  it('says that the outcome is unknown once the process is gone, and never runs the request again', async () => {
    const dead = service();
    void dead.answerOnce(USER, GIVEN, never);
    dead.onApplicationShutdown();
    await pass(REQUEST_LEASE_MS);
    const work = jest.fn(async () => DONE);
    for (const _ of [1, 2]) {
      await expect(service().answerOnce(USER, GIVEN, work)).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNKNOWN', retryAfter: undefined });
      await pass(3_600_000);
    }
    expect(work).not.toHaveBeenCalled();
  });

  it('asks the store once before and once after the work, and for nothing more when it ends soon', async () => {
    const calls = (['claimRequest', 'keepRequests', 'answerRequest', 'releaseRequest'] as const).map((name) => jest.spyOn(store, name));
    await service().answerOnce(USER, GIVEN, async () => DONE);
    await pass(REQUEST_LEASE_MS);
    expect(calls.map(({ mock }) => mock.calls.length)).toEqual([1, 0, 1, 0]);
  });

  it('releases a claim whose answer was lost', async () => {
    const { claimRequest } = store;
    jest.spyOn(store, 'claimRequest').mockImplementationOnce(async (...args) => {
      await claimRequest.apply(store, args);
      throw new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'Away.');
    });
    await expect(service().answerOnce(USER, GIVEN, async () => DONE)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await service().answerOnce(USER, GIVEN, async () => DONE)).toMatchObject({ isReplay: false });
  });
});
