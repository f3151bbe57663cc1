import { buildMessage, ValidateBy, ValidateIf, type ValidationArguments, type ValidationOptions } from 'class-validator';
import { characterCount, whatCame } from './what-came';

/** Lets a field be absent. `null` is a value, and not a valid one. */
export function Optional(): PropertyDecorator {
  return ValidateIf((_dto, value) => value !== undefined);
}

/**
 * Requires a string of Unicode characters. A lone surrogate is none, because it has no UTF-8.
 * Length counts characters and not UTF-16 units.
 */
export function IsText({ min = 0, max, nul = true, tooLong = '' }: TextRule): PropertyDecorator {
  return rule('isText', (value) => {
    const fault = textFault(value, min, max, nul);
    return fault !== undefined && tooLong !== '' && typeof value === 'string' && value.length > max ? `${fault}: ${tooLong}` : fault;
  });
}

/** The rule for a text. */
export interface TextRule {
  /** The least and the most characters. */
  readonly min?: number;
  readonly max: number;
  /** Whether the text may contain NUL. */
  readonly nul?: boolean;
  /** The advice to the author of a longer text. */
  readonly tooLong?: string;
}

/** Requires a text of at most `maxBytes` bytes of UTF-8. */
export function IsTextOfBytes(maxBytes: number): PropertyDecorator {
  return rule('isTextOfBytes', (value) => {
    const fault = textFault(value, 0, Number.POSITIVE_INFINITY, true);
    if (fault !== undefined) return fault;
    const bytes = Buffer.byteLength(value as string);
    return bytes > maxBytes ? `must have at most ${maxBytes} bytes, not ${bytes}` : undefined;
  });
}

/** The name of the integer rule. By it, query values find the fields that are integers. */
export const INTEGER_RULE = 'isIntegerFrom';

/** Requires an integer from `min` to `max`. */
export function IsIntegerFrom(min: number, max: number): PropertyDecorator {
  return rule(INTEGER_RULE, (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `must be an integer from ${min} to ${max}, not ${whatCame(value, true)}`,
  );
}

export const MAX_ENV_ENTRIES = 128;
export const MAX_ENV_BYTES = 32 * 1024;

/**
 * Requires `{NAME: value}`: shell names, and texts without NUL. At most 128 entries, and 32 KiB of
 * names and values.
 */
export function IsEnvironment(): PropertyDecorator {
  return rule('isEnvironment', environmentFault);
}

function environmentFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `must be an object, not ${whatCame(value, false)}`;
  const entries = Object.entries(value);
  if (entries.length > MAX_ENV_ENTRIES) return `must have at most ${MAX_ENV_ENTRIES} entries, not ${entries.length}`;
  let bytes = 0;
  for (const [name, text] of entries) {
    // A name appears in an error only after it was found harmless. A value never does, because it
    // may be a secret.
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return 'must have names of letters, digits and _, not beginning with a digit';
    const fault = textFault(text, 0, Number.POSITIVE_INFINITY, false);
    if (fault !== undefined) return `${name.slice(0, 100)} ${fault}`;
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text as string);
  }
  return bytes > MAX_ENV_BYTES ? `must have at most ${MAX_ENV_BYTES} bytes of names and values, not ${bytes}` : undefined;
}

/**
 * @returns what is wrong with a text, as the end of a sentence about it; undefined if nothing is
 */
export function textFault(value: unknown, min: number, max: number, nul: boolean): string | undefined {
  if (typeof value !== 'string') return `must be a string, not ${whatCame(value, false)}`;
  // With the u flag, \p{Cs} matches a surrogate without its other half.
  if (/\p{Cs}/u.test(value)) return 'must be valid Unicode';
  if (!nul && value.includes('\0')) return 'must not contain NUL';
  const length = characterCount(value);
  if (length < min || length > max) return `must have ${min} to ${max} characters, not ${length}`;
  return undefined;
}

/**
 * Says what is wrong with the value of a field, as the end of a sentence; undefined if nothing is.
 */
type Fault = (value: unknown, field: string, fields: Readonly<Record<string, unknown>>) => string | undefined;

/** Makes a validation rule of a function that finds faults. */
export function rule(name: string, fault: Fault, options?: ValidationOptions): PropertyDecorator {
  const find = (value: unknown, args: ValidationArguments | undefined): string | undefined =>
    fault(value, args?.property ?? '', (args?.object ?? {}) as Record<string, unknown>);
  return ValidateBy(
    {
      name,
      validator: {
        validate: (value: unknown, args) => find(value, args) === undefined,
        defaultMessage: buildMessage((prefix, args) => `${prefix}${find(args?.value, args) ?? 'is not valid'}`, options),
      },
    },
    options,
  );
}
