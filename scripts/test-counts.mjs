/** Counts how many tests passed, failed and were skipped, from what each runner reports. */

/**
 * A run that failed without a failed test (a crash, a file that does not load) counts as one
 * failure.
 */
function counted(succeeded, { passed, failed, skipped }) {
  return { passed, failed: succeeded ? failed : Math.max(failed, 1), skipped };
}

/** Counts a check that only succeeds or fails, such as a linter. */
export function countOfCheck(succeeded) {
  return counted(succeeded, { passed: succeeded ? 1 : 0, failed: 0, skipped: 0 });
}

/**
 * Counts the tests of the agent.
 * @param {string} output of `python3 -m unittest`
 */
export function countOfUnittest(succeeded, output) {
  const number = (pattern) => Number(pattern.exec(output)?.[1] ?? 0);
  const failed = number(/\bfailures=(\d+)/) + number(/\berrors=(\d+)/);
  const skipped = number(/\bskipped=(\d+)/);
  return counted(succeeded, { passed: Math.max(number(/^Ran (\d+) tests?/m) - failed - skipped, 0), failed, skipped });
}

/**
 * Counts the tests of scripts/ and bench/.
 * @param {string} output of `node --test --test-reporter=tap`
 */
export function countOfNodeTests(succeeded, output) {
  const number = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  return counted(succeeded, { passed: number('pass'), failed: number('fail'), skipped: number('skipped') + number('todo') });
}

/**
 * Counts the tests of a jest project.
 * @param {object | undefined} report of `jest --json`; undefined if jest wrote none
 */
export function countOfJest(succeeded, report) {
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0, numRuntimeErrorTestSuites = 0 } = report ?? {};
  return counted(succeeded, {
    passed: numPassedTests,
    failed: numFailedTests + numRuntimeErrorTestSuites,
    skipped: numPendingTests + numTodoTests,
  });
}

export function sumOf(counts) {
  const sum = (name) => counts.reduce((total, count) => total + count[name], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

/** Prints the sum as the last line. A run without a passed test counts as failed. */
export function finish(counts) {
  const { passed, failed, skipped } = sumOf(counts);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
}
