/** Splits a list at its commas. Blanks around an entry, and empty entries, do not count. */
export function items(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
