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
 * The JSON Schema of a DTO class, out of the decorators that give its validation and its OpenAPI schema: self-contained, and closed to
 * unknown members as validation is.
 * @throws Error where the class has no documented property
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

/** OpenAPI 3.0 to JSON Schema: references inlined (a tool's schema stands alone), `example` in its own words. */
function convert(schema: JsonSchema, schemas: Record<string, JsonSchema>): JsonSchema {
  const { $ref, allOf, example, properties, items, additionalProperties, ...rest } = schema;
  if (typeof $ref === 'string') return { ...convert(referred($ref, schemas), schemas), ...convert(rest, schemas) };
  // Swagger wraps a reference that has a description of its own in an allOf of one.
  if (Array.isArray(allOf) && allOf.length === 1) return { ...convert(allOf[0], schemas), ...convert(rest, schemas) };
  const result: JsonSchema = { ...rest };
  if (example !== undefined) result.examples = [example];
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

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function referred(ref: string, schemas: Record<string, JsonSchema>): JsonSchema {
  const found = schemas[ref.replace('#/components/schemas/', '')];
  if (found === undefined) throw new Error(`no schema for ${ref}`);
  return found;
}
