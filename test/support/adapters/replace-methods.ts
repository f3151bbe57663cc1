/**
 * Returns an object like `original`, with some of its methods replaced. tsc refuses a name that
 * `original` does not have, so no replacement is left unused when a method gets another name.
 */
export function replaceMethods<T extends object>(original: T, methods: Partial<NoInfer<T>>): T {
  return Object.assign(Object.create(original) as T, methods);
}
