/** `x86_64-linux-gnu-gcc` and `perl5.36-x86_64-linux-gnu` are built for a target. */
const TARGET = /^(?:[a-z0-9_]+-)?linux-(?:gnu|musl)[a-z0-9]*-|-[a-z0-9_]+-linux-(?:gnu|musl)[a-z0-9]*$/;
const LAST_NUMBER = /[-.]?\d+$/;

/**
 * The names that a program goes by, its own first: `x86_64-linux-gnu-gcc-12` is `gcc` too, and
 * `python3.11` is `python3` and `python`.
 * @param program a name, or a path that ends in it
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
