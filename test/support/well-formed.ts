/**
 * Checks that parsed JSON is valid Unicode, as a strict reader requires.
 * @returns the value
 * @throws Error if any text in it holds half of a surrogate pair, which has no UTF-8
 */
export function wellFormed<T>(value: T): T {
  const faults: string[] = [];
  JSON.stringify(value, (name, member: unknown) => {
    for (const text of [name, member]) if (typeof text === 'string' && !text.isWellFormed()) faults.push(JSON.stringify(text));
    return member;
  });
  if (faults.length > 0) throw new Error(`the answer holds half of a surrogate pair: ${faults.join(', ').slice(0, 500)}`);
  return value;
}
