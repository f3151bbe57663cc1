import type { Type } from '@nestjs/common';
import { generateSchema } from '@nestjs/swagger';

export type JsonSchema = { [keyword: string]: unknown };

/** The schema of a tool's arguments or result: MCP wants an object at the top. */
export interface ObjectSchema extends JsonSchema {
  type: 'object';
  properties: Record<string, JsonSchema>;
  required?: string[];
}

/**
 * The JSON Schema (2020-12) of a tool's arguments, out of the decorators of the DTO class that give
 * its validation and its OpenAPI schema. It stands alone, and is closed as validation is.
 * @throws Error when the class has no documented property
 */
export function argumentsSchema(dto: Type<object>): ObjectSchema {
  return dtoSchema(dto, { closed: true, told: true });
}

/**
 * The JSON Schema (2020-12) of a tool's result: what the members are that it may have. Their names
 * say the rest. It is open and asks for none of them: a client may have listed the tools before an
 * update, and every conversation pays for every byte.
 * @throws Error as argumentsSchema
 */
export function resultSchema(dto: Type<object>): ObjectSchema {
  return dtoSchema(dto, { closed: false, told: false });
}

/** The schema of a property without any description, in what it holds neither. */
export function withoutWords(property: JsonSchema): JsonSchema {
  const { description: _description, items, properties, ...rest } = property;
  return {
    ...rest,
    ...(isSchema(items) && { items: withoutWords(items) }),
    ...(isSchema(properties) && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, withoutWords(each as JsonSchema)])),
    }),
  };
}

interface Form {
  /** Whether an object may have no other members than those named. */
  closed: boolean;
  /** Whether it says what members are for, and which there have to be. */
  told: boolean;
}

function dtoSchema(dto: Type<object>, form: Form): ObjectSchema {
  const { schema, schemas } = generateSchema(dto);
  const converted = convert(schema as JsonSchema, schemas as Record<string, JsonSchema>, form);
  if (!isObjectSchema(converted)) throw new Error(`${dto.name} has no documented properties`);
  return converted;
}

function isObjectSchema(schema: JsonSchema): schema is ObjectSchema {
  return schema.type === 'object' && isSchema(schema.properties) && Object.keys(schema.properties).length > 0;
}

/** Translates OpenAPI 3.0: references are inlined, `nullable` becomes a type, `example` goes. */
function convert(schema: JsonSchema, schemas: Record<string, JsonSchema>, form: Form): JsonSchema {
  const { $ref, allOf, nullable, example: _example, properties, items, additionalProperties, ...rest } = schema;
  const part = (of: JsonSchema): JsonSchema => convert(of, schemas, form);
  if (typeof $ref === 'string') return { ...part(referred($ref, schemas)), ...part(rest) };
  // Swagger wraps a reference that has a description of its own in an allOf of one.
  if (Array.isArray(allOf) && allOf.length === 1) return { ...part(allOf[0] as JsonSchema), ...part(rest) };
  const result: JsonSchema = nullable === true ? orNull(rest) : rest;
  if (!form.told) for (const word of ['description', 'required', 'format', 'enum']) delete result[word];
  if (isSchema(items)) result.items = part(items);
  if (isSchema(properties)) {
    result.properties = Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, part(property as JsonSchema)]));
    if (form.closed) result.additionalProperties = false;
  } else if (isSchema(additionalProperties)) {
    result.additionalProperties = part(additionalProperties);
  } else if (additionalProperties !== undefined) {
    result.additionalProperties = additionalProperties;
  }
  return result;
}

/** JSON Schema has no `nullable`: null is a type among others, and a value of an enumeration. */
function orNull({ type, enum: values, ...rest }: JsonSchema): JsonSchema {
  if (typeof type !== 'string') throw new Error('a nullable property needs a type');
  return { ...rest, type: [type, 'null'], ...(Array.isArray(values) && { enum: [...(values as unknown[]), null] }) };
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function referred(ref: string, schemas: Record<string, JsonSchema>): JsonSchema {
  const found = schemas[ref.replace('#/components/schemas/', '')];
  if (found === undefined) throw new Error(`no schema for ${ref}`);
  return found;
}
