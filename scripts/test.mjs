/**
 * `npm test`: from a fresh clone to every test run. `npm test -- ARGS` hands ARGS to jest, and runs jest alone.
 * The last line is the sum, `N passed, N failed, N skipped`; a check such as the linter counts as one. TEST_ENGINES=all runs the tests on
 * other engines too.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OTHER_ENGINES, sayWhatIsNotRun, testOnOtherEngine } from './engines/other-engines.mjs';
import { runJest } from './run-jest.mjs';
import { ensureDocker } from './setup/docker-engine.mjs';
import { build, installPackages } from './setup/node-project.mjs';
import { ensureSandboxImage, SANDBOX_IMAGE } from './setup/sandbox-image.mjs';
import { runMain, say, step } from './setup/steps.mjs';
import { ensureTestPrograms } from './setup/test-programs.mjs';
import { countOfCheck, countOfNodeTests, countOfUnittest, finish } from './test-counts.mjs';

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
  for (const project of ['unit', 'medium', 'e2e']) {
    counts.push((await step(`jest: ${project}`, () => runJest(project, jestArguments, { env }))).count);
  }
  if (jestArguments.length === 0) {
    if (process.env.TEST_ENGINES !== 'all') sayWhatIsNotRun();
    else for (const name of Object.keys(OTHER_ENGINES)) counts.push(...(await testOnOtherEngine(name, docker.engine, [])));
  }
  finish(counts);
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

function succeeds(child) {
  return new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}

function noted(count) {
  return { count, note: `${count.passed} passed, ${count.failed} failed` };
}
