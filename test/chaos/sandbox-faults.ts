import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { eventually } from '../support/service/processes';
import type { Executed } from '../support/service/service';
import type { Random } from '../support/fuzzing';
import type { Journal } from './journal';
import { executed, type SessionClient } from './session-client';
import type { World } from './world';

/** More than a workspace on a tmpfs holds. */
const FILL_BYTES = 192 * 1024 * 1024;
const SMALL_FILE_BYTES = 512 * 1024;
const TRIES = 60;
const ENGINE_CALL_MS = 10_000;
const SHORT_ID = 12;

/** Harms a sandbox behind the service's back, past the proxy. The engine may be away. */
export type SandboxFault = (client: SessionClient, world: World, random: Random, journal: Journal) => Promise<void>;

export const SANDBOX_FAULTS: Readonly<Record<string, SandboxFault>> = {
  'sandbox killed': (client, world) => harm(client, world, (container) => container.kill(inTime())),
  'sandbox removed': (client, world) => harm(client, world, (container) => container.remove({ force: true, ...inTime() })),
  'sandbox paused': async (client, world, random) => {
    const pauseMs = 300 + random(1_500);
    const id = await containerOf(client, world);
    if (id === undefined) return;
    const container = world.deployment.engine.getContainer(id);
    await container.pause(inTime()).catch(ignore);
    await sleep(pauseMs);
    // An engine that is just starting a command may need more than one attempt.
    await eventually('it is not paused', async () => {
      await container.unpause(inTime()).catch(ignore);
      return !(await container.inspect(inTime()).catch(ignore))?.State.Paused;
    });
  },
};

/**
 * Fills the disk. Only if the workspace is a tmpfs, because the disk of a volume is the host's own.
 */
export const DISK_FULL: SandboxFault = async (client, _world, _random, journal) => {
  const { session } = client;
  const began = performance.now();
  await client.write('full/kept', '<kept>');
  let fill: Executed | undefined;
  for (let tries = 0; tries < TRIES && fill === undefined; tries++) {
    fill = executed(await client.execute('fill', `head -c ${FILL_BYTES} /dev/zero > fill`, { timeoutS: 10 }));
    if (!fill) await sleep(250);
  }
  // `head` ends with 1 if the disk is full. On a slow machine, the time limit may come before that.
  if (fill?.exit_code === 1) {
    await client.write('full/kept', '<refused>');
    await client.read(session.file('full/kept'));
    const headers = { 'Content-Type': 'application/octet-stream' };
    const outcome = await client.content('write if full', 'PUT', 'full/none', { body: Buffer.alloc(SMALL_FILE_BYTES), headers });
    if (outcome.kind === 'answer' && !session.wasHarmed(began)) journal.violations.push(`${session.name}: a full disk took a file`);
  }
  for (let tries = 0; tries < TRIES; tries++) {
    if (executed(await client.execute('empty', 'rm -f fill'))?.exit_code === 0) return;
    await sleep(250);
  }
};

async function harm({ session }: SessionClient, world: World, how: (container: Docker.Container) => Promise<unknown>): Promise<void> {
  const id = await containerOf({ session }, world);
  if (id === undefined) return;
  const harmed = { container: id.slice(0, SHORT_ID), from: performance.now(), to: Infinity };
  session.harm.push(harmed);
  await how(world.deployment.engine.getContainer(id)).catch(ignore);
  harmed.to = performance.now();
}

/** @returns the session's container, running or not; undefined if the engine does not say */
export async function containerOf({ session }: Pick<SessionClient, 'session'>, world: World): Promise<string | undefined> {
  const containers = await world.deployment.containers().catch(() => []);
  const wanted = `sandbox-${world.deployment.name}-${session.key}`;
  return containers.find(({ name }) => name === wanted)?.Id;
}

function inTime(): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(ENGINE_CALL_MS) };
}

/** It is gone, or no longer in that state: somebody was faster. */
function ignore(): undefined {}
