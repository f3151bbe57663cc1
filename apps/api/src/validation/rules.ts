import { buildMessage, ValidateBy, ValidateIf, type ValidationArguments, type ValidationOptions } from 'class-validator';
import { characterCount, whatCame } from './what-came';

/** May be absent. `null` is a value, and not a valid one. */
export function Optional(): PropertyDecorator {
  return ValidateIf((_dto, value) => value !== undefined);
}

/** A string of Unicode characters (a lone surrogate is none: it has no UTF-8), counted in characters and not in UTF-16 units. */
export function IsText({ min = 0, max, nul = true, tooLong = '' }: TextRule): PropertyDecorator {
  return rule('isText', (value) => {
    const fault = textFault(value, min, max, nul);
    return fault !== undefined && tooLong !== '' && typeof value === 'string' && value.length > max ? `${fault}: ${tooLong}` : fault;
  });
}

export interface TextRule {
  /** Least and most characters. */
  readonly min?: number;
  readonly max: number;
  /** Whether the text may contain NUL. */
  readonly nul?: boolean;
  /** What the author of a longer text can do instead. */
  readonly tooLong?: string;
}

/** Text of at most so many bytes of UTF-8. */
export function IsTextOfBytes(maxBytes: number): PropertyDecorator {
  return rule('isTextOfBytes', (value) => {
    const fault = textFault(value, 0, Number.POSITIVE_INFINITY, true);
    if (fault !== undefined) return fault;
    const bytes = Buffer.byteLength(value as string);
    return bytes > maxBytes ? `must have at most ${maxBytes} bytes, not ${bytes}` : undefined;
  });
}

/** By which the fields are found that a query string has an integer for. */
export const INTEGER_RULE = 'isIntegerFrom';

export function IsIntegerFrom(min: number, max: number): PropertyDecorator {
  return rule(INTEGER_RULE, (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `must be an integer from ${min} to ${max}, not ${whatCame(value, true)}`,
  );
}

export const MAX_ENV_ENTRIES = 128;
export const MAX_ENV_BYTES = 32 * 1024;

/** `{NAME: value}`: shell names, text without NUL, at most 128 entries and 32 KiB of names and values. */
export function IsEnvironment(): PropertyDecorator {
  return rule('isEnvironment', environmentFault);
}

function environmentFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `must be an object, not ${whatCame(value, false)}`;
  const entries = Object.entries(value);
  if (entries.length > MAX_ENV_ENTRIES) return `must have at most ${MAX_ENV_ENTRIES} entries, not ${entries.length}`;
  let bytes = 0;
  for (const [name, text] of entries) {
    // Names are shown only once they are known to be harmless; values, which may be secrets, never.
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return 'must have names of letters, digits and _, not beginning with a digit';
    const fault = textFault(text, 0, Number.POSITIVE_INFINITY, false);
    if (fault !== undefined) return `${name.slice(0, 100)} ${fault}`;
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text as string);
  }
  return bytes > MAX_ENV_BYTES ? `must have at most ${MAX_ENV_BYTES} bytes of names and values, not ${bytes}` : undefined;
}

/** What is wrong with a text, as the end of a sentence about it. */
export function textFault(value: unknown, min: number, max: number, nul: boolean): string | undefined {
  if (typeof value !== 'string') return `must be a string, not ${whatCame(value, false)}`;
  // With the u flag, \p{Cs} is a surrogate without its other half.
  if (/\p{Cs}/u.test(value)) return 'must be valid Unicode';
  if (!nul && value.includes('\0')) return 'must not contain NUL';
  const length = characterCount(value);
  if (length < min || length > max) return `must have ${min} to ${max} characters, not ${length}`;
  return undefined;
}

/** What is wrong with the value of a field, as the end of a sentence; undefined for nothing. */
type Fault = (value: unknown, field: string, fields: Readonly<Record<string, unknown>>) => string | undefined;

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
