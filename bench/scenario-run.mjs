/** Gives a scenario what it needs to run, and gathers its results. */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from './client.mjs';
import { inParallel, timed } from './measure.mjs';
import { cpuSeconds, machineCpuSeconds } from './processes.mjs';
import { startService } from './service.mjs';

/**
 * The calls until V8 has compiled what a call runs through. So the bench measures a service that
 * has been up for a minute.
 */
const WARM_UP_CALLS = { full: 6_000, quick: 1_000 };
/** How long the machine is watched before a scenario. Whatever it does then is not the bench. */
const OTHERS_MS = 500;
export const WARM_SESSIONS = 8;
export const warmSession = (index) => `warm${index % WARM_SESSIONS}`;

export class Bench {
  #shared = null;

  /** @param profileDir where the services leave CPU profiles, if anywhere */
  constructor({ quick, profileDir, machine }) {
    Object.assign(this, { quick, profileDir, machine });
  }

  /** Picks how often, or how many: for a full run or for a quick one. */
  pick(full, quick) {
    return this.quick ? quick : full;
  }

  /**
   * Runs one scenario.
   * @returns its results, as docs/bench.json has them
   */
  async run({ name, title, run }) {
    const results = { name, title, date: new Date().toISOString().slice(0, 10), machine: this.machine, quick: this.quick };
    const gathered = { rows: [], notes: [], charts: [] };
    const others = await machineShare(OTHERS_MS);
    const meter = new CpuMeter();
    const channels = new Set();
    const watched = (service) => {
      channels.add(service.channel);
      return meter.watch(service);
    };
    const started = [];
    const scope = {
      quick: this.quick,
      pick: (full, quick) => this.pick(full, quick),
      /** A warm service with one API process and Redis. Other scenarios use it too. */
      shared: async () => watched((this.#shared ??= await this.#start({ warm: true }))),
      /** A service of the scenario's own, which ends with it. */
      start: async (options) => {
        const service = await this.#start(options);
        const { stop } = service;
        service.stop = () => {
          meter.release(service);
          return stop();
        };
        started.push(service);
        return watched(service);
      },
      row: (row) => {
        gathered.rows.push(row);
        const goal = row.goal === null ? '' : ` (goal ${row.goal})`;
        const rounds = row.rounds === '' ? '' : `, rounds: ${row.rounds}`;
        const against = row.floor === '' ? '' : ` against ${row.floor}: ${row.ratio}${rounds}`;
        console.log(`${row.met === null ? '    ' : row.met ? 'ok  ' : 'MISS'} ${row.what}: ${row.figure}${against}${goal}`);
      },
      note: (text) => {
        gathered.notes.push(text);
        console.log(`     ${text}`);
      },
      chart: (chart) => gathered.charts.push(chart),
    };
    try {
      await run(scope);
      return { ...results, ...gathered, channels: [...channels], cpu: { ...meter.read(), others } };
    } finally {
      for (const service of started) await service.stop();
    }
  }

  async #start({ warm = false, ...options }) {
    const service = await startService({ profileDir: this.profileDir, ...options });
    if (warm) await warmUp(service, this.pick(WARM_UP_CALLS.full, WARM_UP_CALLS.quick) * service.ports.length);
    return service;
  }
}

async function warmUp(service, calls) {
  service.containers = [];
  await inParallel(WARM_SESSIONS, async (worker) => {
    service.containers[worker] = (await execute(service, warmSession(worker), 'true')).container_id;
    for (let call = worker; call < calls; call += WARM_SESSIONS) await execute(service, warmSession(worker), 'true');
  });
}

/** @returns how much of the machine's CPU time is used now, from 0 to 1 */
async function machineShare(ms) {
  const before = machineCpuSeconds();
  const took = await timed(() => sleep(ms));
  const share = (machineCpuSeconds() - before) / ((took / 1000) * availableParallelism());
  return Math.min(1, Math.round(100 * share) / 100);
}

/** Tells who used the CPU time of a scenario. A service counts from the moment it is watched. */
class CpuMeter {
  #began = { wall: performance.now(), client: process.cpuUsage(), all: machineCpuSeconds() };
  #apis = new Map();
  #released = 0;

  watch(service) {
    for (const pid of service.pids) if (!this.#apis.has(pid)) this.#apis.set(pid, cpuSeconds(pid));
    return service;
  }

  /** Takes the last figures of a service, before it ends. */
  release({ pids }) {
    for (const pid of pids) {
      this.#released += this.#used(pid);
      this.#apis.delete(pid);
    }
  }

  read() {
    const { user, system } = process.cpuUsage(this.#began.client);
    const rounded = (seconds) => Math.round(seconds * 10) / 10;
    return {
      wall: rounded((performance.now() - this.#began.wall) / 1000),
      client: rounded((user + system) / 1e6),
      api: rounded([...this.#apis.keys()].reduce((sum, pid) => sum + this.#used(pid), this.#released)),
      all: rounded(machineCpuSeconds() - this.#began.all),
      cores: availableParallelism(),
    };
  }

  #used(pid) {
    return this.#apis.has(pid) ? cpuSeconds(pid) - this.#apis.get(pid) : 0;
  }
}
