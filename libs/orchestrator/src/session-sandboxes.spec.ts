import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadConfig } from '@sandbox/config';
import { createSessionStore, sessionRef } from '@sandbox/sessions';
import type { SandboxOwner, SandboxRuntime } from './sandbox-runtime';
import { SessionSandboxes } from './session-sandboxes';
import type { WarmPool } from './warm-pool';

describe('SessionSandboxes', () => {
  const config = loadConfig({ SESSION_STORE: 'memory', CREATE_CONCURRENCY: '3' }, { needsAuth: false });

  it('leaves a place for others beside a user whose sandboxes do not come to be', async () => {
    const asked: string[] = [];
    const runtime = {
      ensure: ({ userKey }: SandboxOwner) => {
        asked.push(userKey);
        return new Promise(() => undefined);
      },
    } as unknown as SandboxRuntime;
    const pool = { claim: async () => null } as unknown as WarmPool;
    const sandboxes = new SessionSandboxes(config, createSessionStore(config), runtime, pool);
    const enter = (user: string, session: string): void => {
      const ref = sessionRef(config.DEPLOYMENT, { id: user }, session);
      sandboxes.enter(ref, 1_000, async () => undefined).catch(() => undefined);
    };
    for (let n = 0; n < 5; n++) enter('jwt:slow', `s${n}`);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    enter('jwt:other', 's');
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    const [slow, other] = ['jwt:slow', 'jwt:other'].map((user) => sessionRef(config.DEPLOYMENT, { id: user }, 's').userKey);
    expect(asked).toEqual([slow, slow, other]);
    await sandboxes.onApplicationShutdown();
  });
});
