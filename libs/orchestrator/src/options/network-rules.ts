import type { Config } from '@sandbox/config';
import { type EgressRules, parseRules, uncovered } from '@sandbox/egress';
import type { FieldError } from '@sandbox/errors';
import type { SessionNetworkRules } from '@sandbox/sessions';

const FIELD = 'network.allow';

/**
 * Says what is wrong with the rules that a caller asks for: they are none, the operator does not
 * offer them, or no sandbox can have any.
 * @param refusal why no sandbox can, as the runtime says it; null: they can
 */
export function networkFaults(
  { EGRESS_ALLOW }: Pick<Config, 'EGRESS_ALLOW'>,
  { allow }: SessionNetworkRules,
  refusal: string | null,
): FieldError[] {
  if (refusal !== null && allow.length > 0)
    return [{ field: FIELD, message: `${FIELD} must be empty: sandboxes here may reach nothing, since ${refusal}` }];
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

/**
 * Returns the rules of a session that was given none.
 * @param refusal why no sandbox can have a network; null: they can
 */
export function defaultRules({ EGRESS_DEFAULT }: Pick<Config, 'EGRESS_DEFAULT'>, refusal: string | null): string[] {
  return refusal === null ? ruleTexts(EGRESS_DEFAULT) : [];
}

/** Returns rules as callers write them. */
export function ruleTexts(rules: EgressRules): string[] {
  return rules.map(({ text }) => text);
}
