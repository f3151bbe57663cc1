import { createCommandPolicy } from '@sandbox/command-policy';
import { loadConfig } from '@sandbox/config';
import { createSessionStore, sessionRef, type SessionStore } from '@sandbox/sessions';
import type { AgentRequest } from '../channel/channel';
import type { SessionConnections } from '../entering/session-connections';
import { PolicyService } from './policy.service';

const CONFIG = loadConfig({ SESSION_STORE: 'memory' }, { needsAuth: false });
const USER = { id: 'jwt:u' };
const NOT_LISTED = 'it is not on the list of allowed programs; a program of your own runs by its path, as ./NAME';

let store: SessionStore;
let asked: AgentRequest[];
let runs: boolean;

/** The service, with a sandbox that gives this answer. */
function service(answer: object = { first_other: 0 }, list: string[] = []): PolicyService {
  const channel = {
    sendRequest: async (request: AgentRequest): Promise<object> => {
      asked.push(request);
      return answer;
    },
  };
  const connections = { joinSandbox: async () => (runs ? channel : null) } as unknown as SessionConnections;
  return new PolicyService(CONFIG, createCommandPolicy(list), store, connections);
}

/** Makes a session whose variables set PATH. */
async function makeSession(name: string): Promise<void> {
  const { key, ...ref } = sessionRef(CONFIG.DEPLOYMENT, USER, name);
  const now = store.now();
  const begun = await store.beginCall({ key, ...ref }, { callId: 'c', deadline: now }, now);
  if (begun.state !== 'live') throw new Error(begun.state);
  const options = { env: { PATH: '/workspace/bin' } };
  await store.attachSandbox(key, begun.record.generation, { containerId: 'c1', startId: 's', origin: 'made', image: 'i', options });
  await store.endCall(key, begun.record.generation, 'c', now);
}

beforeEach(async () => {
  store = createSessionStore(CONFIG);
  asked = [];
  runs = true;
  await makeSession('s');
});

describe('PolicyService', () => {
  it('allows a command when all its programs are on the list, and asks no sandbox', async () => {
    expect(await service().checkCommand(USER, { command: 'ls | head', session_id: 's' })).toEqual({ allowed: true });
    expect(asked).toEqual([]);
  });

  it('says what is refused, why, and what is like it when a program is not on the list', async () => {
    const answer = await service().checkCommand(USER, { command: 'echo a\npyton3 b.py' });
    expect(answer).toEqual({
      allowed: false,
      word: 'pyton3',
      position: { line: 2, column: 1, offset: 7 },
      reason: NOT_LISTED,
      similar: expect.arrayContaining(['python3']),
    });
    expect(asked).toEqual([]);
  });

  it('judges a command for the shell and the variables that are given', async () => {
    const strict = service({}, ['echo', 'ls']);
    expect(await strict.checkCommand(USER, { command: 'ls', env: { PATH: '/x' } })).toMatchObject({ allowed: false, word: 'PATH' });
    expect(await strict.checkCommand(USER, { command: '[[ a == a ]] && ls', shell: 'bash' })).toEqual({ allowed: true });
    expect(await strict.checkCommand(USER, { command: '[[ a == a ]] && ls', shell: 'sh' })).toMatchObject({ allowed: false });
  });

  it('asks the session’s sandbox, along the session’s PATH, when a program may be the session’s own', async () => {
    const question = { command: 'mycli', session_id: 's' };
    expect(await service({ first_other: null }).checkCommand(USER, question)).toEqual({ allowed: true });
    expect(asked).toEqual([{ op: 'own_programs', names: ['mycli'], search_path: '/workspace/bin' }]);
    expect(await service({ first_other: 0 }).checkCommand(USER, question)).toMatchObject({ allowed: false, word: 'mycli' });
  });

  it('does not prolong the session', async () => {
    const { key } = sessionRef(CONFIG.DEPLOYMENT, USER, 's');
    const before = await store.getSession(key, store.now());
    await service({ first_other: null }).checkCommand(USER, { command: 'mycli', session_id: 's' });
    expect(await store.getSession(key, store.now())).toEqual(before);
  });

  it('answers SESSION_NOT_FOUND when there is no such session, whatever the command is', async () => {
    for (const command of ['ls', 'mycli', 'sudo ls'])
      await expect(service().checkCommand(USER, { command, session_id: 'other' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(service().checkCommand({ id: 'jwt:v' }, { command: 'ls', session_id: 's' })).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
    runs = false;
    await expect(service().checkCommand(USER, { command: 'mycli', session_id: 's' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('allows nothing when the sandbox gives no sound answer', async () => {
    await expect(service({ first_other: 'x' }).checkCommand(USER, { command: 'mycli', session_id: 's' })).rejects.toMatchObject({
      code: 'SANDBOX_LOST',
    });
  });
});
