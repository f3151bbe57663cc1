import type { Type } from '@nestjs/common';
import { ErrorCode, type FieldError, SandboxError } from '@sandbox/errors';
import { firstCharacters, isObject } from '@sandbox/text';
import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { similarField } from './similar-field';
import { whatCame } from './what-came';

const MAX_REPORTED_ERRORS = 20;
const MAX_FIELD_NAME = 100;
/** A refusal of an unknown field names the known ones, unless there are more than this. */
const MAX_NAMED_FIELDS = 16;
/**
 * class-validator's own rules. Their messages do not say what came, so it is added. The value tells
 * whether a text may be shown.
 */
const SHOWS_TEXT: Readonly<Record<string, boolean>> = { isIn: true, isNumber: true, isBoolean: true, min: true, isString: false };

/**
 * Checks a client's value against a DTO class and returns an instance of it. Nothing is converted,
 * so a schema means what it says. DTOs are flat: a validator of its own checks a member that is an
 * object.
 *
 * Nest's ValidationPipe is not used, because class-transformer silently drops members named
 * `constructor` or `toString`. class-validator's whitelist lets them pass.
 * @throws SandboxError VALIDATION_FAILED, with one entry for each bad or unknown field
 */
export function validateDto<T extends object>(dto: Type<T>, value: unknown): T {
  if (value !== undefined && !isObject(value)) throw validationFailed([{ field: '', message: 'must be an object' }]);
  const given = value ?? {};
  const known = fields(dto);
  const unknown = Object.keys(given).filter((name) => !known.has(name));
  const instance = new dto() as Record<string, unknown>;
  for (const name of known) if (Object.hasOwn(given, name)) instance[name] = (given as Record<string, unknown>)[name];
  const errors = [
    ...unknown.map((name) => ({ field: firstCharacters(name, MAX_FIELD_NAME), message: unknownField(name, known) })),
    ...validateSync(instance, { stopAtFirstError: true, forbidUnknownValues: false }).map((error) => ({
      field: error.property,
      message: faultOf(error),
    })),
  ];
  if (errors.length > 0) throw validationFailed(errors.slice(0, MAX_REPORTED_ERRORS));
  return instance as T;
}

/** Makes the error for a request with bad fields. */
export function validationFailed(errors: FieldError[]): SandboxError {
  // A message that begins with an index continues the name of a list.
  const summary = errors.map(({ field, message }) => `${field}${message.startsWith('[') ? '' : ' '}${message}`.trim()).join('; ');
  return new SandboxError(ErrorCode.VALIDATION_FAILED, `The request does not fit its schema: ${summary}.`, { errors });
}

/** Says what came and what is allowed, as the end of a sentence about the field. */
function faultOf({ property, value, constraints }: ValidationError): string {
  const [rule, text] = Object.entries(constraints ?? {})[0] ?? ['', 'is not valid'];
  // class-validator's own messages begin with the name of the field.
  const fault = text.replace(`${property} `, '');
  if (value === undefined && !fault.startsWith('is missing')) return `is missing; it ${fault.replace(/, not nothing$/, '')}`;
  const showsText = SHOWS_TEXT[rule];
  return showsText === undefined ? fault : `${fault}, not ${whatCame(value, showsText)}`;
}

function unknownField(name: string, known: ReadonlySet<string>): string {
  const similar = similarField(name, known);
  if (similar !== undefined) return `is not a known field; use ${similar}`;
  return known.size > MAX_NAMED_FIELDS ? 'is not a known field' : `is not a known field; known are ${[...known].join(', ')}`;
}

/** @returns the names of the fields for which a DTO class declares a rule */
export function fields(dto: Type<object>): ReadonlySet<string> {
  let names = fieldNames.get(dto);
  if (!names) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
    fieldNames.set(dto, (names = new Set(rules.map(({ propertyName }) => propertyName))));
  }
  return names;
}

const fieldNames = new WeakMap<Type<object>, ReadonlySet<string>>();
