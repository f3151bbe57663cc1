import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, randomizer } from '../support/fuzzing';
import { POOL_SIZE, checkNothingIsLeft, checkServesAgain, checkSessions } from './checks';
import { CLOCK_FAULTS, engineFaults, type Fault, FAULTS } from './faults';
import { Journal } from './journal';
import { API_KEYS, Load } from './load';
import { DISK_FULL, SANDBOX_FAULTS, type SandboxFault } from './sandbox-faults';
import { startWorld, type World } from './world';

/** How to run the service under faults. */
export interface ChaosOptions {
  /**
   * Decides which faults there are, when and where, and what the clients ask for. It does not
   * decide how these meet.
   */
  readonly seed: number;
  /** How long new faults begin, in seconds. */
  readonly seconds: number;
  /**
   * Keep workspaces in volumes, which outlive their sandboxes. The run then has an engine of its
   * own, which is ended too.
   */
  readonly persistent: boolean;
  readonly say: (line: string) => void;
}

/** A run of at least this length also waits for sessions to expire. */
const LONG_SECONDS = 120;
/** The time for what comes after the faults. */
const AFTER_SECONDS = { short: 150, long: 600 };
const LOG_LINES = 8;
const LOG_LINE = 500;
/** The wait before the first fault. */
const WARM_UP_MS = 1_500;
const SESSION_TTL_SECONDS = 20;
const PAUSE_MS = 1_500;

/**
 * Runs the service under load and faults, and prints the counts.
 * @returns the promises that the service broke
 */
export async function chaos(options: ChaosOptions): Promise<readonly string[]> {
  const { seconds, persistent } = options;
  const world = await startWorld(
    API_KEYS,
    {
      WORKSPACE_PERSIST_VOLUMES: String(persistent),
      CLEANUP_INTERVAL_SECONDS: '1',
      CLEANUP_MAX_CONTAINER_AGE_SECONDS: '20',
      SESSION_TTL_SECONDS: String(SESSION_TTL_SECONDS),
      POOL_SIZE: String(POOL_SIZE),
    },
    persistent,
  );
  const late = new AbortController();
  try {
    return await Promise.race([run(world, options), never(runSeconds(seconds), late.signal)]);
  } finally {
    late.abort();
    await world.stop();
  }
}

async function run(world: World, { seed, seconds, persistent, say }: ChaosOptions): Promise<readonly string[]> {
  const fork = forks(seed);
  const descriptors = world.replicas.map((replica) => replica.descriptors);
  const journal = new Journal();
  const load = new Load(world, journal, fork, persistent);
  const clients = load.sessions.map((session) => load.client(session, fork()));
  await Promise.all(clients.map((client) => client.execute('warm-up', 'true', { timeoutS: 30 })));
  load.start();
  await sleep(WARM_UP_MS);
  const until = performance.now() + seconds * 1000;
  const sandboxFaults = { ...SANDBOX_FAULTS, ...(persistent ? {} : { 'disk full': DISK_FULL }) };
  const onService = async (name: string, fault: Fault, random: Random): Promise<void> => {
    say(`fault: ${name}`);
    await fault(world, random);
  };
  const onSandbox = async (name: string, fault: SandboxFault, random: Random): Promise<void> => {
    const client = clients[random(clients.length)]!;
    say(`fault: ${name}: ${client.session.name}`);
    await fault(client, world, random, journal);
  };
  await Promise.all([
    inflict({ ...FAULTS, ...(world.own ? engineFaults(world.own) : {}) }, fork(), until, onService),
    inflict(CLOCK_FAULTS, fork(), until, onService),
    inflict(sandboxFaults, fork(), until, onSandbox),
  ]);
  say('the last fault is over');
  const [again] = await Promise.all([checkServesAgain(world, journal, clients), load.stop()]);
  say('the clients have stopped');
  await checkSessions(journal, clients);
  say('the sessions are checked');
  const left = await checkNothingIsLeft(world, journal, load, descriptors, seconds >= LONG_SECONDS);
  for (const line of journal.table) say(line);
  say(`served again ${(again / 1000).toFixed(1)} s after the last fault; descriptors ${left}`);
  for (const violation of journal.violations) {
    say(`VIOLATION ${violation}`);
    for (const line of logLines(world, violation)) say(`  ${line}`);
  }
  return journal.violations;
}

/** Finds what the cleanup worker and the channels logged about a sandbox that a violation names. */
function logLines(world: World, violation: string): string[] {
  const container = /its sandbox ([0-9a-f]{12}) was lost/.exec(violation)?.[1];
  if (container === undefined) return [];
  const lines = world.programs.flatMap((program) => program.logged(container).map((line) => `${program.name}: ${line.slice(0, LOG_LINE)}`));
  return lines.filter((line) => /sandbox removed|channel/.test(line)).slice(0, LOG_LINES);
}

/** @returns the longest time that a run can take, in seconds */
export function runSeconds(seconds: number): number {
  return seconds + (seconds >= LONG_SECONDS ? AFTER_SECONDS.long : AFTER_SECONDS.short);
}

/**
 * Throws after `seconds`, so that the programs and sandboxes are removed even if something hangs.
 */
async function never(seconds: number, signal: AbortSignal): Promise<never> {
  await sleep(seconds * 1000, undefined, { signal });
  throw new Error(`not over ${seconds} s after its beginning`);
}

/** Makes independent random generators. The same seed gives the same ones. */
function forks(seed: number): () => Random {
  let count = 0;
  return () => randomizer(Math.imul(seed + count++, 0x9e3779b1) ^ seed);
}

/** Causes one fault after another until the time is over. */
async function inflict<T>(
  faults: Readonly<Record<string, T>>,
  random: Random,
  until: number,
  work: (name: string, fault: T, random: Random) => Promise<void>,
): Promise<void> {
  for (const name of dealt(Object.keys(faults), random)) {
    await sleep(500 + random(PAUSE_MS));
    if (performance.now() > until) return;
    await work(name, faults[name]!, random);
  }
}

/** Gives each card once in some order, and then again and again. */
function* dealt<T>(cards: readonly T[], random: Random): Generator<T> {
  for (;;) {
    const deck = [...cards];
    while (deck.length > 0) yield deck.splice(random(deck.length), 1)[0]!;
  }
}
