import type { Type } from '@nestjs/common';
import { generateSchema } from '@nestjs/swagger';

export type JsonSchema = { [keyword: string]: unknown };

/** The schema of a tool's arguments or result. MCP requires an object at the top. */
export interface ObjectSchema extends JsonSchema {
  type: 'object';
  properties: Record<string, JsonSchema>;
  required?: string[];
}

/**
 * Makes the JSON Schema (2020-12) of a tool's arguments from a DTO class. The same decorators give
 * the validation and the OpenAPI schema. The schema refers to nothing outside it, and is closed as
 * validation is.
 * @throws Error if the class has no documented property
 */
export function argumentsSchema(dto: Type<object>): ObjectSchema {
  return dtoSchema(dto, { closed: true, told: true });
}

/**
 * Makes the JSON Schema (2020-12) of a tool's result: the names and types of its members. It is
 * open and requires none of them, because a client may have listed the tools before an update. It
 * has no descriptions, because every conversation pays for every byte.
 * @throws Error if the class has no documented property
 */
export function resultSchema(dto: Type<object>): ObjectSchema {
  return dtoSchema(dto, { closed: false, told: false });
}

/**
 * Most defaults are what anybody expects of something that is absent.
 * @returns the schema of a property without any description or default, also in its parts
 */
export function withoutWords(property: JsonSchema): JsonSchema {
  const { description: _description, default: _default, items, properties, ...rest } = property;
  return {
    ...rest,
    ...(isSchema(items) && { items: withoutWords(items) }),
    ...(isSchema(properties) && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, withoutWords(each as JsonSchema)])),
    }),
  };
}

interface Form {
  /** Whether an object may have only the named members. */
  closed: boolean;
  /** Whether the schema describes members and says which are required. */
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

/**
 * Translates OpenAPI 3.0 to JSON Schema: references are inlined, `nullable` becomes a type,
 * `example` is dropped.
 */
function convert(schema: JsonSchema, schemas: Record<string, JsonSchema>, form: Form): JsonSchema {
  const { $ref, allOf, nullable, example: _example, properties, items, additionalProperties, ...rest } = schema;
  const part = (of: JsonSchema): JsonSchema => convert(of, schemas, form);
  if (typeof $ref === 'string') return { ...part(referred($ref, schemas)), ...part(rest) };
  // Swagger wraps a reference that has its own description in an allOf of one.
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

/** Makes null one of the types and one of the values. JSON Schema has no `nullable`. */
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
