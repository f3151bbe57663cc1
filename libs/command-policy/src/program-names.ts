/**
 * The part of a name that says for which target a program is built, as in `x86_64-linux-gnu-gcc`
 * and `perl5.36-x86_64-linux-gnu`.
 */
const TARGET = /^(?:[a-z0-9_]+-)?linux-(?:gnu|musl)[a-z0-9]*-|-[a-z0-9_]+-linux-(?:gnu|musl)[a-z0-9]*$/;
const LAST_NUMBER = /[-.]?\d+$/;

/**
 * @param program a name, or a path that ends in it
 * @returns the names that a program goes by, its own first. `x86_64-linux-gnu-gcc-12` is also
 *   `gcc`, and `python3.11` is also `python3` and `python`.
 */
export function namesOf(program: string): string[] {
  let name = program.slice(program.lastIndexOf('/') + 1);
  const names = [name];
  for (const part of [TARGET, LAST_NUMBER, LAST_NUMBER, LAST_NUMBER]) {
    const shorter = name.replace(part, '');
    if (shorter === '' || shorter === name) continue;
    name = shorter;
    names.push(name);
  }
  return names;
}
