/**
 * Reads what a cluster's programs cost: their memory, their CPU time, and the requests that the API
 * server counts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callText } from './cluster-calls.mjs';
import { mebibytes } from './figures.mjs';
import { timed } from './measure.mjs';
import { cpuSeconds, proportionalBytes, residentBytes } from './processes.mjs';

/** Requests that go on whether or not anybody uses the cluster. */
const BACKGROUND = /^(PUT leases|[A-Z]+ nodes|etcd update Node$)/;

/** @returns the processes of each program, of all nodes together */
function processesOf({ directory }) {
  const found = { shims: readdirSync('/proc').filter((pid) => isShim(pid, directory)) };
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.pid'))) {
    const [name] = file.split(/[-.]/);
    (found[name] ??= []).push(readFileSync(join(directory, file), 'utf8'));
  }
  delete found.holder;
  return found;
}

function isShim(pid, directory) {
  if (!/^\d+$/.test(pid)) return false;
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return commandLine.includes('containerd-shim') && commandLine.includes(directory);
  } catch {
    return false;
  }
}

/**
 * Watches the programs while some work is done.
 * @param others processes of other programs, by their names
 * @returns of each program its `mib` at the end, and the milliseconds of CPU time that it used:
 *   `ms` in all, and `rate` in each of the `seconds`
 */
export async function watchLoad(cluster, others, work) {
  const processes = { ...processesOf(cluster), ...others };
  const before = cpuOf(processes);
  const seconds = (await timed(work)) / 1000;
  const after = cpuOf(processes);
  const load = Object.keys(processes).map((name) => {
    const ms = 1000 * (after[name] - before[name]);
    return [name, { mib: memoryOf(name, processes[name]), ms, rate: ms / seconds, seconds }];
  });
  return Object.fromEntries(load);
}

export const idleLoad = (cluster, others, ms) => watchLoad(cluster, others, () => sleep(ms));

const cpuOf = (processes) =>
  Object.fromEntries(
    Object.entries(processes).map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + ofLiving(cpuSeconds, pid), 0)]),
  );

/** A shim may end meanwhile. It counts as nothing then. */
function ofLiving(measure, pid) {
  try {
    return measure(pid);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}

/** Shims share most of their memory with one another, so they count in parts. */
function memoryOf(name, pids) {
  const bytes = name === 'shims' ? proportionalBytes : residentBytes;
  return mebibytes(pids.reduce((sum, pid) => sum + ofLiving(bytes, pid), 0));
}

/** Calls for which the API server collects its garbage twice, however much memory it has. */
const MOST_CALLS = 2_000;

/**
 * Reads what the API server holds in memory: what its garbage collector has found alive, and
 * stacks. Its resident memory has room that was free before, so it hides what little things cost.
 * @returns in MiB
 */
export async function liveMemory(cluster) {
  let first = null;
  for (let call = 0; call < MOST_CALLS; call++) {
    const metrics = await callText(cluster, 'GET', '/metrics');
    const value = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)[1]);
    const collections = value('go_gc_duration_seconds_count');
    first ??= collections;
    // The next collection comes when the heap has twice what was alive at the last one.
    if (collections >= first + 2) return mebibytes(value('go_memstats_next_gc_bytes') / 2 + value('go_memstats_stack_inuse_bytes'));
  }
  throw new Error('the API server collects no garbage');
}

/** Writes what each of `count` things costs, as the difference of two loads. */
export function costText(before, after, count) {
  const parts = Object.keys(after).map((name) => {
    const kib = (1024 * (after[name].mib - before[name].mib)) / count;
    const microseconds = (1000 * (after[name].rate - before[name].rate)) / count;
    return `${name} ${kib.toFixed(0)} KiB and ${microseconds.toFixed(0)} µs/s`;
  });
  return parts.join(', ');
}

/** Writes the CPU time of each program, as the average of several loads of the same work. */
export function cpuText(loads) {
  return Object.keys(loads[0])
    .map((name) => [name, loads.reduce((sum, load) => sum + load[name].ms, 0) / loads.length])
    .filter(([, ms]) => ms >= 10)
    .map(([name, ms]) => `${name} ${(ms / 1000).toFixed(2)} s`)
    .join(', ');
}

/**
 * Counts the requests that some work causes, whoever makes them: the service, kubelets, scheduler
 * and controllers.
 * @returns of each kind how often it came, and of etcd's operations likewise
 */
export async function countRequests(cluster, work) {
  const before = await readCounts(cluster);
  await work();
  const after = await readCounts(cluster);
  return Object.fromEntries(
    Object.keys(after)
      .map((kind) => [kind, after[kind] - (before[kind] ?? 0)])
      .filter(([kind, count]) => count > 0 && !BACKGROUND.test(kind)),
  );
}

async function readCounts(cluster) {
  const counts = {};
  for (const line of (await callText(cluster, 'GET', '/metrics')).split('\n')) {
    const [, metric, labels, value] = /^(apiserver_request_total|etcd_request_duration_seconds_count)\{(.*)\} (\S+)$/.exec(line) ?? [];
    if (metric === undefined) continue;
    const { verb, resource, subresource, operation, type } = Object.fromEntries(
      [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, text]) => [name, text]),
    );
    const kind = operation
      ? `etcd ${operation} ${type.replace(/^.*\./, '')}`
      : `${verb} ${resource}${subresource ? `/${subresource}` : ''}`;
    counts[kind] = (counts[kind] ?? 0) + Number(value);
  }
  return counts;
}
