import { CfWorkerJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/cfworker';
import { Ajv2020 } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';

type Schema = Record<string, unknown>;

/**
 * Checks a schema, and a value against it, with two independent validators of JSON Schema 2020-12.
 * A keyword that is not JSON Schema's is an error, such as OpenAPI's `nullable` and `example`.
 * @returns what is wrong, in words; empty if both validators accept it
 */
export function schemaFaults(schema: object, value: unknown): string[] {
  try {
    return [...ajvFaults(schema, value), ...cfworkerFaults(schema, value)];
  } catch (error) {
    return [String(error)];
  }
}

/**
 * Checks the schema itself, against the meta-schema and in ajv's strict mode.
 * @returns what is wrong
 */
export function metaSchemaFaults(schema: object): string[] {
  try {
    ajv.compile(schema);
    return [];
  } catch (error) {
    return [String(error)];
  }
}

/**
 * Returns the schema with every object closed. An answer is checked against this one. So a member
 * that no schema names is found, although clients would accept it.
 */
export function closed(schema: object): object {
  return closeAll(schema) as object;
}

function closeAll(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(closeAll);
  if (typeof part !== 'object' || part === null) return part;
  const copy: Schema = Object.fromEntries(Object.entries(part).map(([name, value]) => [name, closeAll(value)]));
  return typeof copy.properties === 'object' ? { additionalProperties: false, ...copy } : copy;
}

const ajv = new Ajv2020({ strict: true, strictRequired: true, allErrors: true });
addFormats.default(ajv);
// The only keyword of OpenAPI that ajv takes even in strict mode.
ajv.removeKeyword('nullable');

function ajvFaults(schema: object, value: unknown): string[] {
  const validate = ajv.compile(schema);
  return validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `ajv: ${instancePath} ${message}`);
}

function cfworkerFaults(schema: object, value: unknown): string[] {
  const { errorMessage } = new CfWorkerJsonSchemaValidator({ shortcircuit: false }).getValidator(schema)(value);
  return errorMessage === undefined ? [] : [`@cfworker/json-schema: ${errorMessage}`];
}
