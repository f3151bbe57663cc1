import { loadConfig } from '@sandbox/config';
import { createSessionStore, sessionRef, type SessionStore } from '@sandbox/sessions';
import { parseHistory } from './network-events';
import { OutgoingLog } from './outgoing-log';

const config = loadConfig({ SESSION_STORE: 'memory' }, { needsAuth: false });
const REF = sessionRef(config.DEPLOYMENT, { id: 'jwt:user' }, 's');
const DENIAL = { host: 'a.org', port: null, reason: 'name_not_allowed' } as const;

describe('OutgoingLog', () => {
  let store: SessionStore;
  let log: OutgoingLog;

  beforeEach(async () => {
    store = createSessionStore(config);
    const begun = await store.beginCall(REF, { callId: 'c', deadline: store.now() + 60_000 }, store.now());
    if (begun.state !== 'live') throw new Error(begun.state);
    log = new OutgoingLog(store, REF, () => begun.record.generation);
  });

  const history = async () => parseHistory((await store.readNetwork(REF.key)).events);

  it('writes a connection once it begins and once it ends, and the end counts', async () => {
    const event = { id: '1', host: 'a.org', port: 443, openedAt: 1, endedAt: null, end: null, bytesIn: 0, bytesOut: 0 };
    log.noteConnection(event);
    await log.flush();
    log.noteConnection({ ...event, endedAt: 2, end: 'closed', bytesIn: 5 });
    await log.flush();
    expect((await history()).connections).toEqual([{ ...event, endedAt: 2, end: 'closed', bytesIn: 5 }]);
  });

  it('tells each command of a refusal, and writes those that are alike once in a while', async () => {
    const since = store.now();
    for (let n = 0; n < 100; n++) log.noteDenial(DENIAL);
    expect(log.denialsSince(since)).toEqual([{ ...DENIAL, at: expect.any(Number) }]);
    const told = store.now();
    while (store.now() === told) await new Promise((resolve) => setTimeout(resolve, 1));
    const later = store.now();
    expect(log.denialsSince(later)).toEqual([]);
    log.noteDenial(DENIAL);
    expect(log.denialsSince(later)).toHaveLength(1);
    await log.flush();
    expect(await log.allDenialsSince(since)).toHaveLength(1);
  });

  it('notes a flood of refusals in part', async () => {
    for (let n = 0; n < 10_000; n++) log.noteDenial({ ...DENIAL, host: `n${n}.org` });
    await log.flush();
    expect((await history()).denials.length).toBeLessThan(60);
  });

  it('counts the bytes of all processes when it has told its own', async () => {
    const other = new OutgoingLog(store, REF, log['generation']);
    other.noteBytes(7);
    await other.flush();
    log.noteBytes(5);
    expect(log.bytes).toBe(5);
    await log.flush();
    expect(log.bytes).toBe(12);
  });

  it('goes on when the store is away', async () => {
    const away = new OutgoingLog(
      { ...store, now: () => 1, addNetworkEvents: () => Promise.reject(new Error('away')) } as never,
      REF,
      () => 'g',
    );
    away.noteDenial(DENIAL);
    await away.flush();
    expect(away.denialsSince(0)).toHaveLength(1);
  });
});
