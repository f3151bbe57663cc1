import { Field, type FieldOptions } from '../validation/fields';
import { rule, textFault } from '../validation/rules';
import { whatCame } from '../validation/what-came';

const MAX_RULES = 256;
const MAX_RULE_CHARACTERS = 300;

/** The rules of a session's network. The service checks what each rule says. */
export function NetworkRules(field: FieldOptions = {}): PropertyDecorator {
  const schema = {
    type: 'array',
    items: { type: 'string', maxLength: MAX_RULE_CHARACTERS },
    maxItems: MAX_RULES,
    description:
      'What its programs may reach, within what the operator offers: a name (`pypi.org`), all names below one (`*.example.com`), each with ' +
      'the ports 80 and 443 or one of its own (`db.example.com:5432`), or a preset: `packages` (package registries), `git` (code hosts)',
    example: ['packages', 'api.example.com'],
  };
  return Field(field, schema, isRules());
}

/** `network` of a session: an object with the rules. */
export function SessionNetwork(field: FieldOptions): PropertyDecorator {
  const schema = {
    type: 'object',
    properties: { allow: { type: 'array', items: { type: 'string', maxLength: MAX_RULE_CHARACTERS }, maxItems: MAX_RULES } },
    required: ['allow'],
    additionalProperties: false,
  };
  return Field(field, schema, isNetwork());
}

function isRules(): PropertyDecorator {
  return rule('isNetworkRules', rulesFault);
}

function isNetwork(): PropertyDecorator {
  return rule('isSessionNetwork', (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return `must be an object, not ${whatCame(value, false)}`;
    const { allow, ...more } = value as Record<string, unknown>;
    if (Object.keys(more).length > 0 || allow === undefined) return 'must have allow and nothing else, as in {"allow": ["pypi.org"]}';
    const fault = rulesFault(allow);
    return fault === undefined ? undefined : `has an allow that ${fault}`;
  });
}

function rulesFault(value: unknown): string | undefined {
  if (!Array.isArray(value)) return `must be a list, not ${whatCame(value, false)}`;
  if (value.length > MAX_RULES) return `must have at most ${MAX_RULES} rules, not ${value.length}`;
  for (const each of value) {
    const fault = textFault(each, 1, MAX_RULE_CHARACTERS, false);
    if (fault !== undefined) return `must hold texts, and one ${fault}`;
  }
  return undefined;
}
