/**
 * Works on the items in order, at most `limit` at a time. It takes no further item once `work`
 * answers false.
 */
export async function forEachLimited<T>(items: readonly T[], limit: number, work: (item: T) => Promise<boolean>): Promise<void> {
  const rest = items.values();
  let going = true;
  const worker = async (): Promise<void> => {
    for (const item of rest) {
      if (!going) return;
      if (!(await work(item))) going = false;
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
