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
 * The JSON Schema (2020-12) of a DTO class, out of the decorators that give its validation and its
 * OpenAPI schema. It stands alone, without references.
 * @throws Error when the class has no documented property
 */
export function dtoSchema(dto: Type<object>): ObjectSchema {
  const { schema, schemas } = generateSchema(dto);
  const converted = convert(schema as JsonSchema, schemas as Record<string, JsonSchema>);
  if (!isObjectSchema(converted)) throw new Error(`${dto.name} has no documented properties`);
  return converted;
}

function isObjectSchema(schema: JsonSchema): schema is ObjectSchema {
  return schema.type === 'object' && isSchema(schema.properties) && Object.keys(schema.properties).length > 0;
}

/** Translates OpenAPI 3.0: references are inlined, `nullable` becomes a type, `example` goes. */
function convert(schema: JsonSchema, schemas: Record<string, JsonSchema>): JsonSchema {
  const { $ref, allOf, nullable, example: _example, properties, items, additionalProperties, ...rest } = schema;
  if (typeof $ref === 'string') return { ...convert(referred($ref, schemas), schemas), ...convert(rest, schemas) };
  // Swagger wraps a reference that has a description of its own in an allOf of one.
  if (Array.isArray(allOf) && allOf.length === 1) return { ...convert(allOf[0], schemas), ...convert(rest, schemas) };
  const result: JsonSchema = nullable === true ? orNull(rest) : rest;
  if (isSchema(items)) result.items = convert(items, schemas);
  if (isSchema(properties)) {
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, convert(property as JsonSchema, schemas)]),
    );
    result.additionalProperties = false;
  } else if (isSchema(additionalProperties)) {
    result.additionalProperties = convert(additionalProperties, schemas);
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
