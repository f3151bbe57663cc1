/**
 * The API names its fields in snake_case, and this package in camelCase. The types here turn the
 * one into the other, so that the generated types stay the only description of the API.
 */

type Camel<Name extends string> = Name extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : Name;

/** Fields whose keys are the caller's own. They stay as they are. */
type Free = 'metadata' | 'env';
const FREE: ReadonlySet<string> = new Set<Free>(['metadata', 'env']);

/** An answer of the API, with its fields in camelCase. */
export type CamelCased<T> = T extends readonly (infer Item)[]
  ? CamelCased<Item>[]
  : T extends object
    ? { [Key in keyof T as Key extends string ? Camel<Key> : Key]: Key extends Free ? T[Key] : CamelCased<T[Key]> }
    : T;

/** Renames the fields of an answer. */
export function camelCased<T>(value: T): CamelCased<T> {
  return renamed(value, (name) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())) as CamelCased<T>;
}

/** Renames the fields of a request, and leaves out what is undefined. */
export function snakeCased(value: object): Record<string, unknown> {
  return renamed(value, (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) as Record<string, unknown>;
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [rename(name), FREE.has(name) ? field : renamed(field, rename)]),
  );
}
