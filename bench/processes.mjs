/** What /proc says of a process and of the machine. Linux only, as the engine is. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_SECONDS = 0.01;

/** User and system time of a process so far, seconds. */
export function cpuSeconds(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the name, in brackets, and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS;
}

/** CPU time of all processes together so far, seconds. */
export function machineCpuSeconds() {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].split(/ +/).map(Number);
  return (user + nice + system + irq + softirq) * TICK_SECONDS;
}

export function parentOf(pid) {
  return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid) {
  return kibibytes(`/proc/${pid}/status`, 'VmRSS');
}

/** Memory of a process, what it shares with others counted in parts, bytes. */
export function proportionalBytes(pid) {
  return kibibytes(`/proc/${pid}/smaps_rollup`, 'Pss');
}

/** Memory that the machine could still give out, bytes. */
export function availableBytes() {
  return kibibytes('/proc/meminfo', 'MemAvailable');
}

export function openDescriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Memory charged to the cgroup of a process, bytes; cgroup v1 or v2. */
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

/** CPU time of all processes in the cgroup of a process so far, seconds. */
export function cgroupCpuSeconds(pid) {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').trim().split('\n');
  const v1 = lines.map((line) => line.split(':')).find(([, controllers]) => controllers.split(',').includes('cpuacct'));
  if (v1) return Number(readFileSync(`/sys/fs/cgroup/cpuacct${v1[2]}/cpuacct.usage`, 'latin1')) / 1e9;
  const [, , path] = lines.find((line) => line.startsWith('0::')).split(':');
  return Number(/^usage_usec (\d+)$/m.exec(readFileSync(`/sys/fs/cgroup${path}/cpu.stat`, 'latin1'))[1]) / 1e6;
}
