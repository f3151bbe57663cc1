import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { STATE_DIR } from './setup/steps.mjs';
import { countOfJest } from './test-counts.mjs';

/** How to run each project of jest.config.js. */
const OPTIONS = {
  unit: [],
  http: [],
  // With --forceExit, a connection that a failed test left open cannot keep the sum from being
  // printed.
  kubernetes: ['--runInBand', '--forceExit'],
  medium: ['--maxWorkers=2', '--forceExit'],
  // With more files at a time, two cores are so busy that calls to Redis run out of time. The
  // files that take longest begin first.
  e2e: ['--maxWorkers=2', '--forceExit', '--testSequencer=./test/support/service/longest-first.cjs'],
};

/**
 * Runs one project of jest and shows its output.
 * @param {'unit' | 'http' | 'medium' | 'kubernetes' | 'e2e'} project
 * @param {readonly string[]} jestArguments
 * @param {{ env: NodeJS.ProcessEnv, signal?: AbortSignal }} options
 */
export async function runJest(project, jestArguments, { env, signal }) {
  const report = join(STATE_DIR, `jest-${project}.json`);
  rmSync(report, { force: true });
  const jest = ['node_modules/jest/bin/jest.js', '--selectProjects', project, '--passWithNoTests', '--json', `--outputFile=${report}`];
  const args = [...jest, ...OPTIONS[project], ...jestArguments];
  const child = spawn(process.execPath, args, { env, signal, stdio: ['ignore', 'inherit', 'inherit'] });
  const succeeded = await new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
  const count = countOfJest(succeeded, existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined);
  return { count, note: `${count.passed} passed, ${count.failed} failed` };
}
