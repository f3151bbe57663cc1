import { parseSize } from '@sandbox/config';
import type { SandboxUsage, SessionInfo } from '@sandbox/orchestrator';
import { notSupported } from '../protocol/not-supported';
import { cpuCountOf } from './sandbox-answers';

/** What a sandbox uses at a moment, as E2B tells it. Sizes are bytes. */
export interface SandboxMetric {
  /** ISO 8601. */
  readonly timestamp: string;
  /** Seconds since the epoch. */
  readonly timestampUnix: number;
  readonly cpuCount: number;
  /** Of what the sandbox may use. */
  readonly cpuUsedPct: number;
  readonly memUsed: number;
  readonly memTotal: number;
  readonly memCache: number;
  readonly diskUsed: number;
  readonly diskTotal: number;
}

/**
 * Translates a measurement.
 * @throws SandboxError NOT_SUPPORTED if the kernel of the sandbox tells nothing, as gVisor's
 */
export function sandboxMetric({ cpus, memory, disk }: SandboxUsage, session: SessionInfo, now: Date): SandboxMetric {
  if (cpus === null || memory === null) throw notSupported('Measuring a sandbox whose container runtime tells no use of memory and CPUs');
  const diskTotal = disk.size ?? parseSize(session.disk ?? '0');
  return {
    timestamp: now.toISOString(),
    timestampUnix: Math.floor(now.getTime() / 1000),
    cpuCount: cpuCountOf(session),
    cpuUsedPct: Math.round((10_000 * cpus) / session.cpus) / 100,
    memUsed: memory.used,
    memTotal: parseSize(session.memory),
    memCache: memory.cache,
    diskUsed: Math.max(0, diskTotal - disk.free),
    diskTotal,
  };
}
