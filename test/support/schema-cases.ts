/** The keywords of JSON Schema and OpenAPI 3.0 that say which values a property takes. */
export interface PropertySchema {
  $ref?: string;
  allOf?: PropertySchema[];
  type?: string;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  pattern?: string;
  items?: PropertySchema;
  properties?: Record<string, PropertySchema>;
  required?: string[];
  additionalProperties?: boolean | PropertySchema;
  example?: unknown;
}

/** A value at a bound of a schema. */
export interface Case {
  value: unknown;
  /** Whether the schema says that the service takes this value. */
  taken: boolean;
  /** The bound that the value tests. */
  bound: string;
}

type Resolve = (ref: string) => PropertySchema;

/** Outside the Basic Multilingual Plane: one character, two UTF-16 units, four bytes. */
const ASTRAL = '\u{1F600}';
const LONG = 2000;
const LARGE = 10 ** 12;

/**
 * Makes values at the bounds of a schema and just beyond.
 * @param terse the schema leaves out bounds to be short, so a missing bound says nothing.
 *   Otherwise, a missing bound says that there is none.
 */
export function schemaCases(given: PropertySchema, resolve: Resolve, terse: boolean): Case[] {
  const schema = resolved(given, resolve);
  const cases = kindCases(schema, resolve, terse);
  if (schema.example !== undefined) cases.push({ value: schema.example, taken: true, bound: 'example' });
  return cases;
}

/**
 * Makes a value of an object schema, with the examples of what it requires. A field that may be
 * given by its bytes instead is required by the rule and not by the schema. It is included, too.
 * @param beside a field that is also set. If it holds the bytes of another field, that one is left
 *   out.
 */
export function requiredExamples(given: PropertySchema, resolve: Resolve, beside = ''): Record<string, unknown> {
  const { properties = {}, required = [] } = resolved(given, resolve);
  const names = Object.keys(properties).filter((name) => required.includes(name) || hasBytes(name, properties, beside));
  return Object.fromEntries(names.map((name) => [name, exampleOf(properties[name]!, resolve)]));
}

function hasBytes(name: string, properties: Record<string, PropertySchema>, beside: string): boolean {
  const bytes = `${name}_base64`;
  return bytes in properties && bytes !== beside;
}

function exampleOf(given: PropertySchema, resolve: Resolve): unknown {
  const schema = resolved(given, resolve);
  if (schema.example !== undefined) return schema.example;
  if (schema.type === 'array') return [exampleOf(schema.items!, resolve)];
  return schema.properties ? requiredExamples(schema, resolve) : 'x';
}

function resolved(schema: PropertySchema, resolve: Resolve): PropertySchema {
  if (schema.$ref !== undefined) return resolve(schema.$ref);
  return schema.allOf?.length === 1 ? { ...resolved(schema.allOf[0]!, resolve), ...schema } : schema;
}

function kindCases(schema: PropertySchema, resolve: Resolve, terse: boolean): Case[] {
  if (schema.enum) return enumCases(schema.enum);
  switch (schema.type) {
    case 'integer':
    case 'number':
      return numberCases(schema, terse);
    case 'string':
      return schema.pattern === undefined ? textCases(schema, terse) : [{ value: 'no, never', taken: false, bound: 'pattern' }];
    case 'boolean':
      return [...[true, false].map((value) => ({ value, taken: true, bound: 'type' })), { value: 'maybe', taken: false, bound: 'type' }];
    case 'array':
      return listCases(schema, resolve, terse);
    case 'object':
      return mapCases(schema);
    default:
      return [];
  }
}

function enumCases(values: unknown[]): Case[] {
  return [...values.map((value) => ({ value, taken: true, bound: 'enum' })), { value: 'none of them', taken: false, bound: 'enum' }];
}

function numberCases({ type, minimum, maximum }: PropertySchema, terse: boolean): Case[] {
  const step = type === 'integer' ? 1 : 0.001;
  const beyond = (bound: number, by: number): number => Number((bound + by).toFixed(3));
  return [
    ...(minimum === undefined ? [] : edges('minimum', minimum, beyond(minimum, -step))),
    ...(maximum === undefined ? [] : edges('maximum', maximum, beyond(maximum, step))),
    ...(maximum === undefined && !terse ? [{ value: LARGE, taken: true, bound: 'no maximum' }] : []),
  ];
}

function textCases({ minLength, maxLength }: PropertySchema, terse: boolean): Case[] {
  return [
    ...(minLength ? edges('minLength', 'a'.repeat(minLength), 'a'.repeat(minLength - 1)) : []),
    ...(!minLength && !terse ? [{ value: '', taken: true, bound: 'no minLength' }] : []),
    ...(maxLength === undefined ? [] : edges('maxLength', 'a'.repeat(maxLength), 'a'.repeat(maxLength + 1))),
    ...(maxLength === undefined ? [] : edges('maxLength, astral', ASTRAL.repeat(maxLength), ASTRAL.repeat(maxLength + 1))),
    ...(maxLength === undefined && !terse ? [{ value: 'a'.repeat(LONG), taken: true, bound: 'no maxLength' }] : []),
  ];
}

function listCases({ items = {}, minItems, maxItems }: PropertySchema, resolve: Resolve, terse: boolean): Case[] {
  const item = exampleOf(items, resolve);
  const { properties = {}, additionalProperties } = resolved(items, resolve);
  const base = requiredExamples(items, resolve);
  return [
    ...(minItems ? edges('minItems', Array(minItems).fill(item), Array(minItems - 1).fill(item)) : []),
    ...(maxItems === undefined ? [] : edges('maxItems', Array(maxItems).fill(item), Array(maxItems + 1).fill(item))),
    ...(additionalProperties === false ? [{ value: [{ ...base, no_such_field: 1 }], taken: false, bound: 'additionalProperties' }] : []),
    ...Object.entries(properties).flatMap(([name, property]) =>
      schemaCases(property, resolve, terse).map(({ value, taken, bound }) => ({
        value: [{ ...base, [name]: value }],
        taken,
        bound: `${name} ${bound}`,
      })),
    ),
  ];
}

function mapCases({ maxProperties, additionalProperties }: PropertySchema): Case[] {
  const entries = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'x']));
  const most = typeof additionalProperties === 'object' ? additionalProperties.maxLength : undefined;
  return [
    ...(maxProperties === undefined ? [] : edges('maxProperties', entries(maxProperties), entries(maxProperties + 1))),
    ...(most === undefined ? [] : edges('value maxLength', { k: ASTRAL.repeat(most) }, { k: ASTRAL.repeat(most + 1) })),
    { value: { k: [] }, taken: false, bound: 'value type' },
  ];
}

function edges(bound: string, within: unknown, beyond: unknown): Case[] {
  return [
    { value: within, taken: true, bound },
    { value: beyond, taken: false, bound: `${bound}, beyond` },
  ];
}
