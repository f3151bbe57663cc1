/**
 * Removes what a run leaves on the machine, however the run ends: done, failed, Ctrl-C, SIGTERM.
 */
const steps = new Set();
let underWay = null;

/**
 * Runs `undo` at the end of the process, unless it was run before. If it is under way then, the
 * process waits for it.
 * @returns a function that runs it now
 */
export function atExit(undo) {
  let running = null;
  const step = () => (running ??= undo().finally(() => steps.delete(step)));
  steps.add(step);
  return step;
}

export const isEnding = () => underWay !== null;

/**
 * Throws if the process is ending. To be called before starting anything that a step would have to
 * remove.
 */
export function refuseWhenEnding() {
  if (isEnding()) throw new Error('the bench is ending');
}

/** Runs the steps, the last one first. A step that fails does not keep the others from running. */
export function cleanUp() {
  underWay ??= (async () => {
    for (const step of [...steps].toReversed()) await step().catch((error) => console.error(`clean-up: ${error.message}`));
  })();
  return underWay;
}

/**
 * Runs the steps also if the process is told to end or fails with an uncaught error. A second
 * signal ends it at once.
 */
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
