/** @returns the value that a JSON text spells, if it is of that kind; else the given value */
export function fromJson(value: unknown, isKind: (parsed: unknown) => boolean): unknown {
  if (typeof value !== 'string') return value;
  try {
    const parsed: unknown = JSON.parse(value);
    return isKind(parsed) ? parsed : value;
  } catch {
    return value;
  }
}
