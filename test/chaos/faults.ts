import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../support/fuzzing';
import type { OwnEngine, Program, World } from './world';

/**
 * Does harm, and repairs it as an operator or a supervisor would. Nothing else is ever restarted.
 */
export type Fault = (world: World, random: Random) => Promise<void>;

const MINUTE = 60_000;
const JUMPS = [2 * MINUTE, 60 * MINUTE, 50 * 60 * MINUTE];

/** @returns a random time in milliseconds */
const someTime = (random: Random): number => 500 + random(2_000);
const oneOf = <T>(random: Random, choices: readonly T[]): T => choices[random(choices.length)]!;
const replicaOf = (world: World, random: Random): World['replicas'][number] => oneOf(random, world.replicas);

/** Faults of the service's programs, its store and its engine, by name. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'API killed': (world, random) => restart(replicaOf(world, random), 'SIGKILL', random),
  'API restarted': (world, random) => restart(replicaOf(world, random), 'SIGTERM', random),
  'API stopped': (world, random) => halt(replicaOf(world, random), random),
  'cleanup killed': (world, random) => restart(world.cleanup, 'SIGKILL', random),
  'cleanup restarted': (world, random) => restart(world.cleanup, 'SIGTERM', random),
  'cleanup stopped': (world, random) => halt(world.cleanup, random),
  'Redis flushed': ({ redis }) => redis.flush(),
  'Redis killed': async ({ redis }, random) => {
    await redis.down();
    await sleep(someTime(random));
    await redis.up();
  },
  'Redis stopped': ({ redis }, random) => halt(redis, random, 2),
  'Docker away': async ({ proxy }, random) => {
    proxy.cut();
    await sleep(someTime(random));
    proxy.restore();
  },
  'Docker hangs': async ({ proxy }, random) => {
    proxy.stall();
    await sleep(someTime(random) * 2);
    proxy.restore();
  },
};

/** Faults of an engine that belongs only to this run. */
export function engineFaults(own: OwnEngine): Readonly<Record<string, Fault>> {
  const { engine } = own;
  return {
    'Docker killed': (_world, random) => restartEngine(own, 'SIGKILL', random),
    'Docker restarted': (_world, random) => restartEngine(own, 'SIGTERM', random),
    'Docker stopped': (_world, random) => halt(engine, random, 2),
    'Docker’s disk full': async (_world, random) => {
      engine.fillDisk();
      await sleep(2 * someTime(random));
      engine.emptyDisk();
    },
  };
}

/**
 * Faults of the clock. They run beside the others, because a wrong clock only does harm if another
 * fault makes the service build something anew.
 */
export const CLOCK_FAULTS: Readonly<Record<string, Fault>> = {
  'API clock ahead': (world, random) => jump(world, random, 1),
  'API clock behind': (world, random) => jump(world, random, -1),
};

async function restartEngine({ engine, outages }: OwnEngine, signal: NodeJS.Signals, random: Random): Promise<void> {
  const outage = { from: performance.now(), to: Infinity };
  outages.push(outage);
  await engine.down(signal);
  await sleep(someTime(random));
  await engine.up();
  outage.to = performance.now();
}

async function restart(program: Program, signal: NodeJS.Signals, random: Random): Promise<void> {
  await program.stop(signal);
  await sleep(someTime(random));
  await program.start();
}

async function halt(program: { signal(signal: NodeJS.Signals): void }, random: Random, times = 1): Promise<void> {
  program.signal('SIGSTOP');
  await sleep(times * someTime(random));
  program.signal('SIGCONT');
}

async function jump(world: World, random: Random, direction: number): Promise<void> {
  const replica = replicaOf(world, random);
  replica.shiftClock(direction * oneOf(random, JUMPS));
  await sleep(2_000 + 2 * someTime(random));
  replica.shiftClock(0);
}
