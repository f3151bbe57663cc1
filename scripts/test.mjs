/**
 * `npm test`: from a fresh clone to every test run. `npm test -- ARGS` hands ARGS to jest, and runs jest alone.
 * The last line is the sum, `N passed, N failed, N skipped`; a check such as the linter counts as one.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDocker } from './setup/docker-engine.mjs';
import { build, installPackages } from './setup/node-project.mjs';
import { ensureSandboxImage, SANDBOX_IMAGE } from './setup/sandbox-image.mjs';
import { runMain, say, STATE_DIR, step } from './setup/steps.mjs';
import { ensureTestPrograms } from './setup/test-programs.mjs';
import { countOfCheck, countOfJest, countOfNodeTests, countOfUnittest, sumOf } from './test-counts.mjs';

const scriptTests = readdirSync(import.meta.dirname, { recursive: true })
  .filter((path) => path.endsWith('.test.mjs'))
  .map((path) => join('scripts', path));

const node = (script, ...args) => ({ command: process.execPath, args: [join('node_modules', script), ...args] });

const CHECKS = [
  { title: 'oxlint', ...node('oxlint/bin/oxlint', '--deny-warnings') },
  { title: 'prettier', ...node('prettier/bin/prettier.cjs', '--check', '.') },
  { title: 'tsc', ...node('typescript/bin/tsc', '--noEmit') },
  {
    title: 'tests of scripts/',
    command: process.execPath,
    args: ['--test', '--test-reporter=tap', ...scriptTests],
    count: countOfNodeTests,
  },
  {
    title: 'tests of agent/',
    command: 'python3',
    // Verbose, for the reasons of what it skips.
    args: ['-m', 'unittest', 'discover', '-v', '-s', 'agent/tests'],
    count: countOfUnittest,
  },
];

const JEST_PROJECTS = [
  { project: 'unit', options: [] },
  // A connection that a failed test left open must not keep the sum from being printed.
  { project: 'medium', options: ['--runInBand', '--forceExit'] },
  // Two files at a time: much of what they do is to wait.
  { project: 'e2e', options: ['--maxWorkers=2', '--forceExit'] },
];

await runMain(async () => {
  const jestArguments = process.argv.slice(2);
  await step('packages', installPackages);
  await step('build', build);
  const docker = await step('Docker engine', ensureDocker);
  await step('programs the tests use', ensureTestPrograms);
  await step('sandbox image', () => ensureSandboxImage(docker.engine));
  const env = { ...process.env, DOCKER_HOST: docker.host, SANDBOX_TEST_IMAGE: SANDBOX_IMAGE };

  const counts = [];
  for (const check of jestArguments.length === 0 ? CHECKS : []) {
    counts.push((await step(check.title, () => runCheck(check, env))).count);
  }
  for (const { project, options } of JEST_PROJECTS) {
    counts.push((await step(`jest: ${project}`, () => runJest(project, [...options, ...jestArguments], env))).count);
  }
  const { passed, failed, skipped } = sumOf(counts);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
});

async function runCheck({ command, args, count = countOfCheck }, env) {
  let output = '';
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  const succeeded = await succeeds(child);
  if (!succeeded) console.log(output);
  else for (const [line] of output.matchAll(/^.* \.\.\. skipped .*$/gm)) say(line);
  return noted(count(succeeded, output));
}

async function runJest(project, jestArguments, env) {
  const report = join(STATE_DIR, `jest-${project}.json`);
  rmSync(report, { force: true });
  const jest = node('jest/bin/jest.js', '--selectProjects', project, '--passWithNoTests', '--json', `--outputFile=${report}`);
  const child = spawn(jest.command, [...jest.args, ...jestArguments], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const succeeded = await succeeds(child);
  return noted(countOfJest(succeeded, existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined));
}

function succeeds(child) {
  return new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}

function noted(count) {
  return { count, note: `${count.passed} passed, ${count.failed} failed` };
}
