import { isObject } from '@sandbox/text';
import { fromJson } from '../json-text';
import type { JsonSchema, ObjectSchema } from './dto-schema';

/**
 * Arguments that clients add to a call for themselves. n8n's AI Agent passes on the fields of its
 * chat trigger (n8n-io/n8n#21500, #21716).
 */
const OF_CLIENTS: ReadonlySet<string> = new Set(['toolCallId', 'sessionId', 'chatInput', 'action', 'tool', '_meta']);

/**
 * Reads the arguments of a call as its client means them. Null means absent. If the schema asks for
 * it, a text becomes the number, boolean, list or object that it spells, and a whole number becomes
 * a text. Nothing else is converted: validation judges the rest.
 */
export function clientArguments(schema: ObjectSchema, args: unknown): unknown {
  if (!isObject(args)) return args;
  const known = Object.entries(args).filter(([name]) => Object.hasOwn(schema.properties, name) || !OF_CLIENTS.has(name));
  return members(schema, Object.fromEntries(known));
}

function converted(schema: JsonSchema, value: unknown): unknown {
  switch (schema.type) {
    case 'integer':
    case 'number':
      return typeof value === 'string' && /^-?(0|[1-9]\d{0,14})(\.\d{1,6})?$/.test(value) ? Number(value) : value;
    case 'boolean':
      return typeof value === 'string' && /^(true|false)$/i.test(value) ? value.toLowerCase() === 'true' : value;
    case 'string':
      return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
    case 'array': {
      const list = fromJson(value, Array.isArray);
      return Array.isArray(list) ? list.map((item) => converted(schema.items as JsonSchema, item)) : value;
    }
    case 'object': {
      const object = fromJson(value, isObject);
      return isObject(object) ? members(schema, object) : value;
    }
    default:
      return value;
  }
}

/** Removes members that are null, and converts each other member by its own schema. */
function members(schema: JsonSchema, object: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(object).filter(([, value]) => value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [name, converted(memberSchema(schema, name), value)]));
}

function memberSchema({ properties, additionalProperties }: JsonSchema, name: string): JsonSchema {
  if (isObject(properties) && Object.hasOwn(properties, name)) return properties[name] as JsonSchema;
  return isObject(additionalProperties) ? additionalProperties : {};
}
