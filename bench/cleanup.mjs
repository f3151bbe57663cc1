/** What a run leaves on the machine is taken away at its end, however it ends: done, failed, Ctrl-C, SIGTERM. */
const steps = new Set();
let underWay = null;

/**
 * Has `undo` run at the end of the process, unless it was run before.
 * @returns a function that runs it now
 */
export function atExit(undo) {
  const step = async () => {
    if (steps.delete(step)) await undo();
  };
  steps.add(step);
  return step;
}

export const isEnding = () => underWay !== null;

/** To be called before anything is started that a step would have to take away. */
export function refuseWhenEnding() {
  if (isEnding()) throw new Error('the bench is ending');
}

/** The last first. One that fails keeps none of the others from being run. */
export function cleanUp() {
  underWay ??= (async () => {
    for (const step of [...steps].toReversed()) await step().catch((error) => console.error(`clean-up: ${error.message}`));
  })();
  return underWay;
}

/** Also where the process is told to end, or fails where nobody catches it. A second signal ends it at once. */
export function cleanUpWhateverHappens() {
  for (const [event, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['uncaughtException', 1],
  ]) {
    process.once(event, (cause) => {
      if (!isEnding()) console.error(cause);
      process.exitCode = status;
      void cleanUp().then(() => process.exit());
    });
  }
}
