import { randomUUID } from 'node:crypto';
import {
  Allowance,
  createSessionStore,
  MAX_ANSWER_BYTES,
  MAX_ANSWERS_BYTES,
  MAX_REQUESTS,
  MIN_REQUEST_AGE_MS,
  REQUEST_LEASE_MS,
  REQUEST_LIFETIME_MS,
  repeatableRequest,
  type RepeatableRequest,
  type SessionStore,
} from '@sandbox/sessions';
import { DEPLOYMENT, NOW, SECOND, storeConfig } from '../support/adapters/sessions';
import { TestRedis } from '../support/service/processes';

/** The port's contract for requests with a key, run on both stores. */

jest.setTimeout(120_000);

const ANSWER = { status: 201, body: '{"a":"é\\u0000"}' };
const CLAIMED = { state: 'claimed' };

let redis: TestRedis;
let store: SessionStore;
const opened: SessionStore[] = [];

function openStore(kind: 'memory' | 'redis'): SessionStore {
  const another = createSessionStore(storeConfig(kind, redis.port));
  opened.push(another);
  return another;
}

/** A request of a new user, unless one is named. */
function someRequest({ user = `jwt:${randomUUID()}`, route = 'POST /execute', key = 'k', content = '{}' } = {}): RepeatableRequest {
  return repeatableRequest(DEPLOYMENT, { id: user }, { route, key, content });
}

/** Has the request claimed and answered. */
async function answered(request: RepeatableRequest, answer = ANSWER, now = NOW): Promise<void> {
  expect(await store.claimRequest(request, 'first', now)).toEqual(CLAIMED);
  await store.answerRequest(request, 'first', answer);
}

afterEach(() => Promise.all(opened.splice(0).map((each) => each.disconnect())));

beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

describe.each(['memory', 'redis'] as const)('Requests with a key in the %s store', (kind) => {
  beforeEach(() => {
    store = openStore(kind);
  });

  it('gives the answer when the request comes again', async () => {
    const request = someRequest();
    await answered(request);
    for (const claim of ['first', 'second']) {
      expect(await store.claimRequest(request, claim, NOW + SECOND)).toEqual({ state: 'answered', answer: ANSWER });
    }
  });

  it('says that it runs while its claim holds, and that the outcome is unknown when the claim has run out', async () => {
    const request = someRequest();
    expect(await store.claimRequest(request, 'first', NOW)).toEqual(CLAIMED);
    expect(await store.claimRequest(request, 'second', NOW + REQUEST_LEASE_MS - 1)).toEqual({ state: 'running' });
    for (const now of [NOW + REQUEST_LEASE_MS, NOW + REQUEST_LIFETIME_MS - SECOND])
      expect(await store.claimRequest(request, 'third', now)).toEqual({ state: 'unknown' });
  });

  it('prolongs a claim when its process keeps it, and no other', async () => {
    const [kept, other] = [someRequest(), someRequest()];
    await store.claimRequest(kept, 'kept', NOW);
    await store.claimRequest(other, 'other', NOW);
    const later = NOW + REQUEST_LEASE_MS - 1;
    await store.keepRequests(
      [
        { request: kept, claimId: 'kept' },
        { request: other, claimId: 'not the owner' },
      ],
      later,
    );
    expect(await store.claimRequest(kept, 'x', later + SECOND)).toEqual({ state: 'running' });
    expect(await store.claimRequest(other, 'x', later + SECOND)).toEqual({ state: 'unknown' });
  });

  it('takes an answer also when the claim has run out, and only from its owner, once', async () => {
    const request = someRequest();
    await store.claimRequest(request, 'first', NOW);
    const late = NOW + 10 * REQUEST_LEASE_MS;
    await store.answerRequest(request, 'another', { status: 200, body: 'wrong' });
    expect(await store.claimRequest(request, 'x', late)).toEqual({ state: 'unknown' });
    await store.answerRequest(request, 'first', ANSWER);
    await store.answerRequest(request, 'first', { status: 200, body: 'second' });
    await store.releaseRequest(request, 'first');
    expect(await store.claimRequest(request, 'x', late)).toEqual({ state: 'answered', answer: ANSWER });
  });

  it('lets the request be claimed again when its owner releases it', async () => {
    const request = someRequest();
    await store.claimRequest(request, 'first', NOW);
    await store.releaseRequest(request, 'another');
    expect(await store.claimRequest(request, 'second', NOW)).toEqual({ state: 'running' });
    await store.releaseRequest(request, 'first');
    expect(await store.claimRequest(request, 'second', NOW)).toEqual(CLAIMED);
    await store.answerRequest(request, 'first', { status: 200, body: 'of an earlier claim' });
    expect(await store.claimRequest(request, 'third', NOW)).toEqual({ state: 'running' });
  });

  it('refuses another request with the same key, whatever became of the first', async () => {
    const user = 'jwt:differs';
    const [first, other] = [someRequest({ user }), someRequest({ user, content: '{"a":1}' })];
    await store.claimRequest(first, 'first', NOW);
    expect(await store.claimRequest(other, 'x', NOW)).toEqual({ state: 'differs' });
    expect(await store.claimRequest(other, 'x', NOW + REQUEST_LEASE_MS)).toEqual({ state: 'differs' });
    await store.answerRequest(first, 'first', ANSWER);
    expect(await store.claimRequest(other, 'x', NOW)).toEqual({ state: 'differs' });
  });

  it('keeps keys of users and of routes apart', async () => {
    const user = 'jwt:apart';
    await answered(someRequest({ user }));
    for (const other of [
      someRequest({ user: 'key:apart' }),
      someRequest({ user, route: 'POST /sessions' }),
      someRequest({ user, key: 'K' }),
    ])
      expect(await store.claimRequest(other, randomUUID(), NOW)).toEqual(CLAIMED);
  });

  it('lets one claim a request when many come at once, also over several processes', async () => {
    const others = kind === 'redis' ? [openStore(kind), openStore(kind)] : [];
    const replicas = [store, ...others];
    const request = someRequest();
    const claims = await Promise.all(
      Array.from({ length: 60 }, (_, index) => replicas[index % replicas.length]!.claimRequest(request, randomUUID(), NOW)),
    );
    expect(claims.filter(({ state }) => state === 'claimed')).toHaveLength(1);
    expect(claims.filter(({ state }) => state === 'running')).toHaveLength(59);
  });

  it('forgets a request after its lifetime', async () => {
    const request = someRequest();
    await answered(request);
    if (kind === 'memory') {
      expect(await store.claimRequest(request, 'x', NOW + REQUEST_LIFETIME_MS - 1)).toMatchObject({ state: 'answered' });
      expect(await store.claimRequest(request, 'x', NOW + REQUEST_LIFETIME_MS)).toEqual(CLAIMED);
      return;
    }
    // Redis itself ends what it keeps.
    for (const name of [
      `request:${request.name}`,
      `requests:${request.userKey}`,
      `answers:${request.userKey}`,
      `answered:${request.userKey}`,
    ]) {
      const left = Number((await redis.send(`PTTL sandbox:{${DEPLOYMENT}}:${name}`)).slice(1));
      expect([name, left > REQUEST_LIFETIME_MS - 60 * SECOND && left <= REQUEST_LIFETIME_MS]).toEqual([name, true]);
    }
  });

  it('keeps no answer that is too long, and knows that there was one', async () => {
    const request = someRequest();
    await answered(request, { status: 200, body: 'é'.repeat(MAX_ANSWER_BYTES / 2) });
    expect(await store.claimRequest(request, 'x', NOW)).toMatchObject({
      state: 'answered',
      answer: { status: 200, body: expect.stringMatching(/^é+$/) },
    });
    const longer = someRequest();
    await answered(longer, { status: 200, body: `${'é'.repeat(MAX_ANSWER_BYTES / 2)}a` });
    expect(await store.claimRequest(longer, 'x', NOW)).toEqual({ state: 'answered', answer: { status: 200, body: null } });
  });

  it('drops the oldest answers of a user when they are too many bytes, and nobody else’s', async () => {
    const user = 'jwt:bytes';
    const other = someRequest();
    await answered(other);
    const body = 'x'.repeat(MAX_ANSWER_BYTES);
    const most = MAX_ANSWERS_BYTES / MAX_ANSWER_BYTES;
    const requests = Array.from({ length: most + 2 }, (_, index) => someRequest({ user, key: `k${index}` }));
    for (const request of requests) await answered(request, { status: 200, body });
    const bodies = await Promise.all(requests.map((request) => store.claimRequest(request, 'x', NOW)));
    const answers = bodies.map((claim) => (claim.state === 'answered' ? claim.answer.body === body : claim.state));
    expect(answers).toEqual([false, false, ...Array.from({ length: most }, () => true)]);
    expect(await store.claimRequest(other, 'x', NOW)).toEqual({ state: 'answered', answer: ANSWER });
  });

  it('takes no new request of a user with too many young ones, and lets the oldest give way when it is old', async () => {
    const user = 'jwt:count';
    const request = (index: number): RepeatableRequest => someRequest({ user, key: `k${index}` });
    for (let first = 0; first < MAX_REQUESTS; first += 500) {
      const indexes = Array.from({ length: 500 }, (_, index) => first + index);
      await Promise.all(indexes.map((index) => store.claimRequest(request(index), 'c', NOW + index)));
    }
    const one = request(MAX_REQUESTS);
    const until = NOW + MIN_REQUEST_AGE_MS;
    expect(await store.claimRequest(one, 'c', until - 1)).toEqual({ state: 'full', until });
    expect(await store.claimRequest(request(0), 'c', until - 1)).toEqual({ state: 'unknown' });
    expect(await store.claimRequest(someRequest(), 'c', until - 1)).toEqual(CLAIMED);
    expect(await store.claimRequest(one, 'c', until)).toEqual(CLAIMED);
    expect(await store.claimRequest(request(1), 'c', until)).toEqual({ state: 'unknown' });
    expect(await store.claimRequest(request(0), 'c', until)).toEqual({ state: 'full', until: until + 1 });
    // Past their lifetime, all of them make room.
    expect(await store.claimRequest(request(-1), 'c', NOW + 2 * REQUEST_LIFETIME_MS)).toEqual(CLAIMED);
  });

  it('claims nothing when the request is over its user’s budget', async () => {
    const over = new Error('over the budget');
    const user = 'jwt:budget';
    const counted = (limit: number): RepeatableRequest => {
      const requestId = randomUUID();
      const granted = store.countRequest(user, limit, 60_000, requestId).then(({ hits }) => {
        if (hits > limit) throw over;
      });
      return { ...someRequest({ user }), allowance: new Allowance(requestId, granted) };
    };
    await expect(store.claimRequest(counted(0), 'x', NOW)).rejects.toBe(over);
    const settled = counted(0);
    await settled.allowance!.granted.catch(() => undefined);
    await expect(store.claimRequest(settled, 'x', NOW)).rejects.toBe(over);
    expect(await store.claimRequest(counted(10), 'y', NOW)).toEqual(CLAIMED);
  });

  it('releases its claim when the count was lost with its connection', async () => {
    const lost = new Error('the connection is gone');
    let lose!: () => void;
    const granted = new Promise<void>((_resolve, reject) => (lose = () => reject(lost)));
    const request = someRequest();
    const claiming = store.claimRequest({ ...request, allowance: new Allowance(randomUUID(), granted) }, 'x', NOW);
    await store.ping();
    lose();
    await expect(claiming).rejects.toBe(lost);
    expect(await store.claimRequest(request, 'y', NOW)).toEqual(CLAIMED);
  });
});
