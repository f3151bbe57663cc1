import type { Type } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';
import { INTEGER_RULE } from './rules';

/**
 * Turns digits into integers for the fields that are integers, because a query string or a path
 * holds texts only. Nothing else is converted. The rules for a field then say the same of a query
 * and of a body.
 */
export function withIntegers(dto: Type<object>, query: unknown): unknown {
  const integers = integerFields(dto);
  if (integers.size === 0 || typeof query !== 'object' || query === null) return query;
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, integers.has(name) ? integerOf(value) : (value as unknown)]),
  );
}

function integerOf(value: unknown): unknown {
  return typeof value === 'string' && /^(0|[1-9]\d{0,14})$/.test(value) ? Number(value) : value;
}

const known = new WeakMap<Type<object>, ReadonlySet<string>>();

function integerFields(dto: Type<object>): ReadonlySet<string> {
  let names = known.get(dto);
  if (!names) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
    known.set(dto, (names = new Set(rules.filter(({ name }) => name === INTEGER_RULE).map(({ propertyName }) => propertyName))));
  }
  return names;
}
