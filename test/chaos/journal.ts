import { type Call, MARGIN_MS, type Outcome, send } from './call';
import { overlaps } from './intervals';
import type { Replica } from './world';

/** Counts every call by how it ended, and collects the promises that the service broke. */
export class Journal {
  readonly violations: string[] = [];
  private readonly counts = new Map<string, Map<string, number>>();
  /** How far past its own timeout the latest answer came, in milliseconds. */
  private latest = 0;

  /** Makes a call of a kind and judges its end, whatever the call is. */
  async call(kind: string, replica: Replica, call: Call): Promise<Outcome> {
    const began = performance.now();
    const outcome = await send(replica.url, call);
    const ended = performance.now();
    this.count(kind, labelOf(outcome));
    this.latest = Math.max(this.latest, ended - began - call.timeoutMs);
    const about = `${kind} (${call.method} ${call.path}, by ${replica.name})`;
    if (outcome.kind === 'hung') this.violations.push(`${about}: no answer ${MARGIN_MS / 1000} s past its timeout`);
    if (outcome.kind === 'untyped') this.violations.push(`${about}: an error without a type: ${outcome.text}`);
    if (outcome.kind === 'error' && outcome.code === 'INTERNAL_ERROR') this.violations.push(`${about}: INTERNAL_ERROR`);
    if (outcome.kind === 'broken' && !overlaps(replica.downtimes, began, ended))
      this.violations.push(`${about}: the connection broke though nobody ended the process: ${outcome.text}`);
    return outcome;
  }

  count(kind: string, outcome: string): void {
    const counts = this.counts.get(kind) ?? new Map<string, number>();
    this.counts.set(kind, counts.set(outcome, (counts.get(outcome) ?? 0) + 1));
  }

  /** The counts, one line for each kind. */
  get table(): string[] {
    const lines = [...this.counts].map(([kind, counts]) => {
      const parts = [...counts].sort(([, a], [, b]) => b - a).map(([outcome, count]) => `${outcome} ${count}`);
      return `${kind.padEnd(14)} ${parts.join(' · ')}`;
    });
    return [...lines.sort(), `latest answer: ${(this.latest / 1000).toFixed(1)} s past its call's own timeout`];
  }
}

function labelOf(outcome: Outcome): string {
  if (outcome.kind === 'answer') return 'ok';
  return outcome.kind === 'error' ? outcome.code : outcome.kind;
}
