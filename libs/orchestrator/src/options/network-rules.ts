import type { Config } from '@sandbox/config';
import { type EgressRules, parseRules, uncovered } from '@sandbox/egress';
import type { FieldError } from '@sandbox/errors';
import type { SessionNetworkRules } from '@sandbox/sessions';

const FIELD = 'network.allow';

/**
 * Says what is wrong with the rules that a caller asks for: they are none, or the operator does not
 * offer them.
 */
export function networkFaults({ EGRESS_ALLOW }: Pick<Config, 'EGRESS_ALLOW'>, { allow }: SessionNetworkRules): FieldError[] {
  try {
    const over = uncovered(parseRules(allow), EGRESS_ALLOW);
    return over.map((rule) => ({ field: FIELD, message: `${FIELD} has ${JSON.stringify(rule)}, ${reason(EGRESS_ALLOW)}` }));
  } catch (error) {
    return [{ field: FIELD, message: `${FIELD}: ${(error as Error).message}` }];
  }
}

function reason(offered: EgressRules): string {
  return offered.length === 0
    ? 'but sandboxes here may reach nothing (EGRESS_ALLOW is empty)'
    : 'which the operator does not offer in whole (EGRESS_ALLOW)';
}

/** Returns rules as callers write them. */
export function ruleTexts(rules: EgressRules): string[] {
  return rules.map(({ text }) => text);
}
