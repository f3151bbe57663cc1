import type { Config } from '@sandbox/config';
import type { DeniedDto } from '../../network/network.dto';

/** The schema of what was refused. The text tells the rest, so no conversation pays for more. */
export const DENIED = { type: 'array' as const, items: { type: 'object' as const } };

/** Tells a model which network a command has, as the beginning of a sentence. */
export function networkText({ EGRESS_ALLOW }: Pick<Config, 'EGRESS_ALLOW'>): string {
  return EGRESS_ALLOW.length === 0 ? 'No network' : 'Network: only to names that the session allows';
}

/** Tells a model what was refused, and what to do. */
export function networkNotes({ network_denied = [] }: { network_denied?: DeniedDto[] }): string[] {
  return network_denied.map(({ host, port, reason, rule }) => {
    const target = port === null ? host : `${host}:${port}`;
    const advice = rule === undefined ? 'the operator does not offer it' : `network.allow of the session would need ${rule}`;
    const isRule = reason === 'name_not_allowed' || reason === 'port_not_allowed';
    return `note: the network refused ${target} (${reason})${isRule ? `: ${advice}` : ''}`;
  });
}
