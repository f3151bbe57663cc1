/**
 * Declares that a container which a test makes is removed when the test has ended. Those that were
 * there when the test began stay: a `beforeAll` made them for several tests. An idle sandbox of
 * gVisor costs about 5 % of a core, so those of a whole file would fill a small machine.
 */
export function leaveNoContainer<T extends { readonly Id: string }>(
  list: () => Promise<T[]>,
  remove: (container: T) => Promise<unknown>,
): void {
  let before: ReadonlySet<string>;
  beforeEach(async () => {
    before = new Set((await list()).map(({ Id }) => Id));
  });
  afterEach(async () => {
    await Promise.all((await list()).filter(({ Id }) => !before.has(Id)).map(remove));
  });
}
