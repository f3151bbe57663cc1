/** Reads what /proc says of a process and of the machine. Linux only, like the engine. */
import { readdirSync, readFileSync } from 'node:fs';

/** One tick of USER_HZ, which is 100 on every Linux on which Node runs. */
const TICK_SECONDS = 0.01;

/** @returns the user and system time of a process so far, in seconds */
export function cpuSeconds(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the name in brackets. It may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS;
}

/** @returns the CPU time of all processes together so far, in seconds */
export function machineCpuSeconds() {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].split(/ +/).map(Number);
  return (user + nice + system + irq + softirq) * TICK_SECONDS;
}

export function parentOf(pid) {
  return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);
}

/** @returns the resident memory of a process in bytes */
export function residentBytes(pid) {
  return kibibytes(`/proc/${pid}/status`, 'VmRSS');
}

/** @returns the memory of a process in bytes; what it shares with others counts in parts */
export function proportionalBytes(pid) {
  return kibibytes(`/proc/${pid}/smaps_rollup`, 'Pss');
}

/** @returns how much memory the machine can still give out, in bytes */
export function availableBytes() {
  return kibibytes('/proc/meminfo', 'MemAvailable');
}

export function openDescriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** @returns the memory charged to the cgroup of a process, in bytes; cgroup v1 or v2 */
export function cgroupBytes(pid) {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').trim().split('\n');
  const v1 = lines.map((line) => line.split(':')).find(([, controllers]) => controllers.split(',').includes('memory'));
  if (v1) return Number(readFileSync(`/sys/fs/cgroup/memory${v1[2]}/memory.usage_in_bytes`, 'latin1'));
  const [, , path] = lines.find((line) => line.startsWith('0::')).split(':');
  return Number(readFileSync(`/sys/fs/cgroup${path}/memory.current`, 'latin1'));
}

function kibibytes(file, field) {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'latin1'))[1]) * 1024;
}

/** @returns the CPU time of all processes in the cgroup of a process so far, in seconds */
export function cgroupCpuSeconds(pid) {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').trim().split('\n');
  const v1 = lines.map((line) => line.split(':')).find(([, controllers]) => controllers.split(',').includes('cpuacct'));
  if (v1) return Number(readFileSync(`/sys/fs/cgroup/cpuacct${v1[2]}/cpuacct.usage`, 'latin1')) / 1e9;
  const [, , path] = lines.find((line) => line.startsWith('0::')).split(':');
  return Number(/^usage_usec (\d+)$/m.exec(readFileSync(`/sys/fs/cgroup${path}/cpu.stat`, 'latin1'))[1]) / 1e6;
}
