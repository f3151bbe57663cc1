import { ruleFor } from './rules';

/** Why a name or a connection is denied. */
export const DENIAL_REASONS = [
  'name_not_allowed',
  'port_not_allowed',
  'private_address',
  'tls_name_mismatch',
  'tls_name_missing',
  'http_host_mismatch',
  'not_http',
  'too_many_connections',
  'too_many_new_connections',
  'too_many_names',
  'byte_limit',
] as const;

export type DenialReason = (typeof DENIAL_REASONS)[number];

/** What a sandbox asked for and did not get. Plain data, which answers carry. */
export interface EgressDenial {
  /** The name that was asked for. */
  readonly host: string;
  /** Null if no port of the name is allowed. */
  readonly port: number | null;
  readonly reason: DenialReason;
  /** The rule that would allow it, if a rule would. */
  readonly rule?: string;
}

/** @returns a denial, with the rule that would allow it if the rules are the reason */
export function denial(host: string, port: number, reason: DenialReason): EgressDenial {
  const isByRule = reason === 'name_not_allowed' || reason === 'port_not_allowed';
  return { host, port, reason, ...(isByRule && { rule: ruleFor(host, port) }) };
}
