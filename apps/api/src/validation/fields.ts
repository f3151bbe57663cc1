import { applyDecorators } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsNumber, Matches, Min } from 'class-validator';
import { IsEnvironment, IsIntegerFrom, IsText, IsTextOfBytes, MAX_ENV_ENTRIES, Optional, type TextRule } from './rules';

/**
 * The options of a field besides its rule. Each decorator of this file declares a field once: the
 * validation, the OpenAPI schema and the schema of the MCP tools come from it.
 */
export interface FieldOptions {
  /** Whether the field may be absent. */
  readonly optional?: boolean;
  readonly description?: string;
  readonly example?: unknown;
  /** The value that an absent field has. It is documented here and set elsewhere. */
  readonly default?: unknown;
}

/**
 * Declares a field by its schema and its rules. Use it if no other decorator fits. If a rule itself
 * takes an absent field, the schema has `required: false`.
 */
export function Field({ optional = false, ...docs }: FieldOptions, schema: object, ...rules: PropertyDecorator[]): PropertyDecorator {
  const options = { required: !optional, ...schema, ...docs } as ApiPropertyOptions;
  return applyDecorators(ApiProperty(options), ...(optional ? [Optional()] : []), ...rules);
}

/** A text of Unicode characters, counted as such. Without `max` its length is not limited here. */
export function Text({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
  nul,
  tooLong,
  ...field
}: FieldOptions & Partial<TextRule> = {}): PropertyDecorator {
  const schema = { type: 'string', ...(min > 0 && { minLength: min }), ...(max < Number.MAX_SAFE_INTEGER && { maxLength: max }) };
  return Field(field, schema, IsText({ min, max, nul, tooLong }));
}

/** A text that is limited by its bytes in UTF-8. The schema can only say so for ASCII. */
export function TextOfBytes({ maxBytes, ...field }: FieldOptions & { maxBytes: number }): PropertyDecorator {
  return Field(field, { type: 'string', maxLength: maxBytes }, IsTextOfBytes(maxBytes));
}

/** A text that a pattern describes. `message` completes the sentence "The field …". */
export function Pattern({ pattern, message, ...field }: FieldOptions & { pattern: RegExp; message: string }): PropertyDecorator {
  return Field(field, { type: 'string', pattern: pattern.source }, Matches(pattern, { message }));
}

/** An integer. Without `max` any that a JSON number holds exactly. */
export function Whole({ min, max = Number.MAX_SAFE_INTEGER, ...field }: FieldOptions & { min: number; max?: number }): PropertyDecorator {
  const schema = { type: 'integer', minimum: min, ...(max < Number.MAX_SAFE_INTEGER && { maximum: max }) };
  return Field(field, schema, IsIntegerFrom(min, max));
}

/** A number, with at most so many decimals if `decimals` is given. */
export function Decimal({ min, decimals, ...field }: FieldOptions & { min: number; decimals?: number }): PropertyDecorator {
  const options = { allowNaN: false, allowInfinity: false, maxDecimalPlaces: decimals };
  const message = decimals === undefined ? 'must be a number' : `must be a number with at most ${decimals} decimals`;
  return Field(field, { type: 'number', minimum: min }, IsNumber(options, { message }), Min(min, { message: `must be at least ${min}` }));
}

/** `true` or `false`. */
export function Flag(field: FieldOptions = {}): PropertyDecorator {
  return Field(field, { type: 'boolean' }, IsBoolean({ message: 'must be true or false' }));
}

/** One of several texts. */
export function OneOf({ values, ...field }: FieldOptions & { values: readonly string[] }): PropertyDecorator {
  const last = values.at(-1);
  const others = values.slice(0, -1);
  const message = others.length === 0 ? `must be ${last}, or absent` : `must be ${others.join(', ')} or ${last}`;
  return Field(field, { type: 'string', enum: [...values] }, IsIn(values, { message }));
}

/** Environment variables. */
export function Environment(field: FieldOptions): PropertyDecorator {
  const schema = { type: 'object', additionalProperties: { type: 'string' }, maxProperties: MAX_ENV_ENTRIES };
  return Field(field, schema, IsEnvironment());
}
