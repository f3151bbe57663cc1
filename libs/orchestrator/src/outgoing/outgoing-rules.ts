import type { Config } from '@sandbox/config';
import { allows, type EgressDenial, type EgressRules, hasPreset, joinRules, parseRules, portsOf, ruleFor } from '@sandbox/egress';
import type { SessionNetworkRules } from '@sandbox/sessions';

const HTTPS_PORT = 443;

/** What the programs of a session may reach: what its rules and the operator's bound both allow. */
export class OutgoingRules {
  constructor(
    private readonly session: EgressRules,
    private readonly bound: EgressRules,
  ) {}

  /** Returns the ports of the name that may be reached, none if the name is not allowed. */
  portsOf(name: string): number[] {
    return portsOf(this.session, name).filter((port) => allows(this.bound, name, port));
  }

  allows(name: string, port: number): boolean {
    return allows(this.session, name, port) && allows(this.bound, name, port);
  }

  /**
   * Says why a name, or a port of it, may not be reached.
   * @param port null for a name of which no port may be reached
   */
  denialOf(host: string, port: number | null): EgressDenial {
    const reason = this.portsOf(host).length === 0 ? 'name_not_allowed' : 'port_not_allowed';
    return { host, port, reason, ...offeredRule(this.bound, host, port) };
  }
}

/**
 * Returns the rule that would allow a session a name, or a port of it, if the operator offers it.
 */
export function offeredRule(bound: EgressRules, host: string, port: number | null): { rule?: string } {
  const offered = portsOf(bound, host);
  const wanted = port ?? (offered.includes(HTTPS_PORT) ? HTTPS_PORT : offered[0]);
  return wanted !== undefined && offered.includes(wanted) ? { rule: ruleFor(host, wanted) } : {};
}

/**
 * Returns the rules of a session.
 * @param network those that it was given; null: the deployment's default
 * @returns null if its programs may reach nothing. Rules that this version does not know allow
 *   nothing.
 */
export function outgoingRules(config: Config, network: SessionNetworkRules | null): OutgoingRules | null {
  const { EGRESS_ALLOW, EGRESS_DEFAULT, EGRESS_MIRRORS } = config;
  if (EGRESS_ALLOW.length === 0) return null;
  const session = network === null ? EGRESS_DEFAULT : knownRules(network.allow, EGRESS_MIRRORS.rules);
  return session === null || session.length === 0 ? null : new OutgoingRules(session, EGRESS_ALLOW);
}

/** With the preset `packages`, a session may take packages from the mirrors as well. */
function knownRules(allow: readonly string[], mirrors: EgressRules): EgressRules | null {
  try {
    const rules = parseRules(allow);
    return hasPreset(rules, 'packages') ? joinRules(rules, mirrors) : rules;
  } catch {
    return null;
  }
}
