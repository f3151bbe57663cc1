import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../e2e/support/processes';
import type { Journal } from './journal';
import type { Load } from './load';
import { ABANDONED_COMMAND, executed, type SessionClient } from './session-client';
import type { Replica, World } from './world';

/** After the last fault. */
const SERVES_AGAIN_MS = 15_000;
const PAUSE_MS = 100;
/** Connections that come and go with the calls, and lazily opened ones. */
const SPARE_DESCRIPTORS = 8;
/** For what the service still has to take away by itself. */
const SETTLE_SECONDS = 30;

/** Every replica has to serve every session, and to say that it is ready. Milliseconds until they all did. */
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

/** What the sessions hold, against what their clients were told. */
export async function checkSessions({ violations }: Journal, clients: readonly SessionClient[]): Promise<void> {
  for (const client of clients) {
    const { name, files } = client.session;
    await noted(violations, `${name}: it cannot be checked`, () => client.check());
    for (const file of files.values()) await client.read(file);
    await noted(violations, `${name}: a command whose client has gone still runs`, async () => {
      const found = executed(await client.execute('check', `pgrep -fx '${ABANDONED_COMMAND}'`));
      return found?.exit_code === 1;
    });
  }
}

/** Deletes every session there ever was, after which nothing of them may be left. */
export async function checkNothingIsLeft(
  world: World,
  { violations }: Journal,
  load: Load,
  descriptorsBefore: readonly number[],
): Promise<string> {
  const everyOne = new Map(load.clients.map((client) => [client.session.key, client]));
  for (const client of everyOne.values()) {
    await noted(violations, `${client.session.name}: it cannot be deleted`, () => client.remove());
  }
  const { deployment, redis, replicas } = world;
  const containers = async (): Promise<string[]> => (await deployment.containers()).map(({ Names, State }) => `${Names[0]} (${State})`);
  // Windows of the rate limit end by themselves.
  const keys = async (): Promise<string[]> =>
    ((await redis.send('KEYS *')).match(/^sandbox:.*$/gm) ?? []).filter((key) => !/:rate:/.test(key));
  await nothing(violations, 'containers', containers);
  await nothing(violations, 'volumes', () => deployment.volumes());
  await nothing(violations, 'keys in Redis', keys);
  for (const [index, replica] of replicas.entries()) {
    const most = descriptorsBefore[index]! + SPARE_DESCRIPTORS;
    await noted(violations, `${replica.name}: more than ${most} descriptors`, async () => replica.descriptors <= most);
  }
  for (const program of world.programs) violations.push(...program.crashes);
  return replicas.map((replica, index) => `${descriptorsBefore[index]} → ${replica.descriptors}`).join(', ');
}

async function nothing(violations: string[], what: string, list: () => Promise<readonly string[]>): Promise<void> {
  await eventually(what, async () => (await list()).length === 0, SETTLE_SECONDS).catch(async () => {
    violations.push(`left over: ${what}: ${(await list()).join(', ')}`);
  });
}

async function noted(violations: string[], violation: string, check: () => Promise<boolean>): Promise<void> {
  await eventually(violation, check, SETTLE_SECONDS).catch(() => violations.push(violation));
}
