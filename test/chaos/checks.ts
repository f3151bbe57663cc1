import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/service/processes';
import type { Journal } from './journal';
import type { Load } from './load';
import { ABANDONED_COMMAND, executed, type SessionClient } from './session-client';
import type { Replica, World } from './world';

/** How soon every session has to be served again after the last fault. */
const SERVES_AGAIN_MS = 15_000;
const PAUSE_MS = 100;
/** Sandboxes that wait for new sessions. They belong to no session, so they stay. */
export const POOL_SIZE = 2;
/**
 * Descriptors that may be added: connections that come and go with calls or open late, and channels
 * into the pool.
 */
const SPARE_DESCRIPTORS = 12 + POOL_SIZE;
/** The time for what the service still has to remove by itself. */
const SETTLE_SECONDS = 30;
/** A process that was killed during a deletion keeps its session closed for 10 s. */
const DELETE_SECONDS = 30;
/**
 * A process that was killed during a write holds its session for as long as the write may have
 * taken: five minutes, and half a minute to enter.
 */
const EXPIRY_SECONDS = 420;
const IDLE_SESSIONS = 3;

/**
 * Checks that every replica serves every session and says that it is ready.
 * @returns the milliseconds until all of them did
 */
export async function checkServesAgain(world: World, journal: Journal, clients: readonly SessionClient[]): Promise<number> {
  const began = performance.now();
  const until = async (what: string, check: () => Promise<boolean>): Promise<void> => {
    while (!(await check())) {
      if (performance.now() - began > SERVES_AGAIN_MS) return void journal.violations.push(`${what} does not serve again`);
      await sleep(PAUSE_MS);
    }
  };
  const serves = (client: SessionClient, replica: Replica) => async (): Promise<boolean> =>
    executed(await client.execute('serves again', 'true', { replica }))?.exit_code === 0;
  const isReady = (replica: Replica) => async (): Promise<boolean> =>
    (await journal.call('ready', replica, { method: 'GET', path: '/ready', timeoutMs: 3_000 })).kind === 'answer';
  await Promise.all(
    world.replicas.flatMap((replica) => [
      until(`${replica.name}, by its /ready,`, isReady(replica)),
      ...clients.map((client) => until(`${client.session.name} by ${replica.name}`, serves(client, replica))),
    ]),
  );
  const took = performance.now() - began;
  if (took > SERVES_AGAIN_MS) journal.violations.push(`serving again took ${(took / 1000).toFixed(1)} s`);
  return took;
}

/** Compares what the sessions hold with what their clients were told. */
export async function checkSessions({ violations }: Journal, clients: readonly SessionClient[]): Promise<void> {
  for (const client of clients) {
    const { name, files } = client.session;
    await noted(violations, `${name}: it cannot be checked`, SETTLE_SECONDS, () => client.check());
    for (const file of files.values()) await client.read(file);
    await noted(violations, `${name}: a command whose client has gone still runs`, SETTLE_SECONDS, async () => {
      const found = executed(await client.execute('check', `pgrep -fx '${ABANDONED_COMMAND}'`));
      return found?.exit_code === 1;
    });
  }
}

/**
 * Deletes every session that ever existed, and checks that nothing of them is left.
 * @param expire leave some sessions to the cleanup worker first. What is in a volume stays until it
 *   is deleted.
 */
export async function checkNothingIsLeft(
  world: World,
  { violations }: Journal,
  load: Load,
  descriptorsBefore: readonly number[],
  expire: boolean,
): Promise<string> {
  const remove = (clients: Iterable<SessionClient>): Promise<unknown> =>
    Promise.all(
      [...clients].map((client) =>
        noted(violations, `${client.session.name}: it cannot be deleted`, DELETE_SECONDS, () => client.remove()),
      ),
    );
  const everyOne = new Map(load.clients.map((client) => [client.session.key, client]));
  const idle = expire ? load.sessions.slice(0, IDLE_SESSIONS).map(({ key }) => everyOne.get(key)!) : [];
  for (const { session } of idle) everyOne.delete(session.key);
  await remove(everyOne.values());
  const { deployment, redis, replicas } = world;
  const containers = async (): Promise<string[]> => {
    const all = (await deployment.containers()).map(({ name, State }) => `${name} (${State})`);
    const isPooled = (name: string): boolean => name.startsWith(`sandbox-${deployment.name}-pool-`);
    return [...all.filter((name) => !isPooled(name)), ...all.filter(isPooled).slice(POOL_SIZE)];
  };
  // Windows of the rate limit end by themselves, and the pool stays.
  const keys = async (): Promise<string[]> =>
    ((await redis.send('KEYS *')).match(/^sandbox:.*$/gm) ?? []).filter((key) => !/:(rate:.*|pooled)$/.test(key));
  await nothing(violations, 'containers', containers, expire ? EXPIRY_SECONDS : SETTLE_SECONDS);
  await remove(idle);
  await nothing(violations, 'volumes', () => deployment.volumes());
  await nothing(violations, 'keys in Redis', keys);
  for (const [index, replica] of replicas.entries()) {
    const most = descriptorsBefore[index]! + SPARE_DESCRIPTORS;
    await noted(violations, `${replica.name}: more than ${most} descriptors`, SETTLE_SECONDS, async () => replica.descriptors <= most);
  }
  for (const program of world.programs) violations.push(...program.crashes);
  return replicas.map((replica, index) => `${descriptorsBefore[index]} → ${replica.descriptors}`).join(', ');
}

async function nothing(
  violations: string[],
  what: string,
  list: () => Promise<readonly string[]>,
  seconds = SETTLE_SECONDS,
): Promise<void> {
  await eventually(what, async () => (await list()).length === 0, seconds).catch(async () => {
    violations.push(`left over: ${what}: ${(await list()).join(', ')}`);
  });
}

async function noted(violations: string[], violation: string, seconds: number, check: () => Promise<boolean>): Promise<void> {
  await eventually(violation, check, seconds).catch(() => violations.push(violation));
}
