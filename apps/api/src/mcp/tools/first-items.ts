/**
 * @returns as many of the first items as fit into `maxCharacters` of JSON, for a model to read; at
 *   least one
 */
export function firstItems<T>(items: readonly T[], maxCharacters: number): T[] {
  let characters = 0;
  const end = items.findIndex((item, index) => (characters += JSON.stringify(item).length + 1) > maxCharacters && index > 0);
  return end === -1 ? [...items] : items.slice(0, end);
}
