import type { EgressDenial } from '@sandbox/egress';
import type { DenialEvent } from './network-events';
import type { SandboxNetwork } from './sandbox-network';

/** An answer tells of so many; GET /sessions/{id}/network has more. */
const MAX_TOLD = 20;

/** The member of an answer that tells what its programs could not reach. Field names are REST's. */
export interface NetworkReport {
  /**
   * What was refused in the session meanwhile. Absent if nothing was. Commands that run side by
   * side all tell of it.
   */
  network_denied?: EgressDenial[];
}

/** Notes the time, and tells later what was refused since. */
export function watchDenials(network: SandboxNetwork | null): () => Promise<NetworkReport> {
  if (network === null) return async () => ({});
  const since = network.now();
  return async () => networkReport(await network.denialsSince(since));
}

/** Makes the member of an answer. Refusals that are alike are told once. */
export function networkReport(denials: readonly DenialEvent[]): NetworkReport {
  const told = new Map<string, EgressDenial>();
  for (const { host, port, reason, rule } of denials) {
    told.set(JSON.stringify([host, port, reason]), { host, port, reason, ...(rule !== undefined && { rule }) });
  }
  return told.size === 0 ? {} : { network_denied: [...told.values()].slice(0, MAX_TOLD) };
}
