import { loadConfig } from '@sandbox/config';
import { createSessionStore, sessionRef, type SessionStore } from '@sandbox/sessions';
import type { AgentRequest, CallOptions } from '../../channel/channel';
import type { OpenSandbox } from '../../entering/open-sandbox';

export const USER = { id: 'key:user' };
export const CONFIG = loadConfig({ SESSION_STORE: 'memory', MAX_JOBS_PER_SESSION: '3', ALLOWED_COMMANDS: '*' }, { needsAuth: false });
export const REF = sessionRef(CONFIG.DEPLOYMENT, USER, 'session');

export const idOf = (number: number): string => number.toString(16).padStart(32, '0');

/** @returns a line of a job_list answer, as an agent sends it */
export function line(number: number, more: object = {}): object {
  const started_at = Date.now() / 1000 - 3600 + number;
  return {
    job_id: idOf(number),
    command: `: ${number}`,
    state: 'running',
    exit_code: null,
    signal: null,
    started_at,
    ends_by: started_at + 7200,
    ended_at: null,
    oom_killed: false,
    disk_limit: false,
    stdout_bytes: 1,
    stderr_bytes: 2,
    terminal: false,
    ...more,
  };
}

export const ended = (number: number): object => line(number, { state: 'exited', exit_code: 0, ended_at: Date.now() / 1000 });

export const linesOf = (...lines: object[]): Buffer => Buffer.from(lines.map((each) => `${JSON.stringify(each)}\n`).join(''));

/** Answers a request as an agent does: sends output, then returns the members of END. */
export type Answers = (
  request: AgentRequest,
  send: (output: Buffer, stream?: 'stdout' | 'stderr') => void,
) => Record<string, unknown> | Promise<Record<string, unknown>>;

/**
 * Creates a session whose sandbox answers as the test says.
 * @returns `calls`, the requests that the sandbox received; `store`, a real store; `scripts`, the
 *   number of calls to each of its methods
 */
export async function setUp(answers: Answers) {
  const calls: AgentRequest[] = [];
  const scripts: Record<string, number> = {};
  const store: SessionStore = new Proxy(createSessionStore(CONFIG), {
    get(target, name: keyof SessionStore) {
      const method = target[name].bind(target) as (...parameters: unknown[]) => unknown;
      return (...parameters: unknown[]) => {
        scripts[name] = (scripts[name] ?? 0) + 1;
        return method(...parameters);
      };
    },
  });
  const begun = await store.beginCall(REF, { callId: 'call', deadline: store.now() + 60_000 }, store.now());
  if (begun.state !== 'live') throw new Error(begun.state);
  const call = async (request: AgentRequest, { onOutput }: CallOptions): Promise<Record<string, unknown>> => {
    calls.push(request);
    return answers(request, (output, stream = 'stdout') => void onOutput?.(stream, output));
  };
  const sandbox = {
    network: null,
    channel: { open: true, sendRequest: call },
    containerId: 'container',
    startId: 'start',
    record: begun.record,
    options: {},
    created: false,
    restarted: false,
    takeRestarted: async () => false,
  };
  return { calls, scripts, store, sandbox: sandbox as unknown as OpenSandbox };
}
