/** What a run leaves on the machine is taken away at its end, however it ends: done, failed, Ctrl-C, SIGTERM. */
const steps = new Set();

/**
 * Has `undo` run at the end of the process, unless it was run before.
 * @returns a function that runs it now
 */
export function atExit(undo) {
  const step = async () => {
    if (!steps.delete(step)) return;
    await undo();
  };
  steps.add(step);
  return step;
}

/** The last first. One that fails keeps none of the others from being run. */
export async function cleanUp() {
  for (const step of [...steps].toReversed()) await step().catch((error) => console.error(`clean-up: ${error.message}`));
}

/** A second signal ends the process at once. */
export function cleanUpOnSignals() {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ]) {
    process.once(signal, () => {
      console.error(`${signal}: cleaning up`);
      void cleanUp().then(() => process.exit(status));
    });
  }
}
