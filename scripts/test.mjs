/**
 * `npm test`: goes from a fresh clone to a run of every test. `npm test -- ARGS` only runs jest,
 * with ARGS. The last line is the sum, `N passed, N failed, N skipped`. A check such as the linter
 * counts as one. TEST_ENGINES=all also runs the tests on other engines.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sayKubernetesIsNotRun, testOnKubernetes } from './engines/kubernetes/kubernetes-tests.mjs';
import { OTHER_ENGINES, sayWhatIsNotRun, testOnOtherEngine } from './engines/other-engines.mjs';
import { runJest } from './run-jest.mjs';
import { ensureDocker } from './setup/docker-engine.mjs';
import { build, installPackages } from './setup/node-project.mjs';
import { ensureSandboxImage, SANDBOX_IMAGE } from './setup/sandbox-image.mjs';
import { runMain, step } from './setup/steps.mjs';
import { ensureTestPrograms } from './setup/test-programs.mjs';
import { countOfCheck, countOfNodeTests, countOfUnittest, finish } from './test-counts.mjs';

const scriptTests = ['scripts', 'bench'].flatMap((folder) =>
  readdirSync(folder, { recursive: true })
    .filter((path) => path.endsWith('.test.mjs'))
    .map((path) => join(folder, path)),
);

const node = (script, ...args) => ({ command: process.execPath, args: [join('node_modules', script), ...args] });

const CHECKS = [
  { title: 'oxlint', ...node('oxlint/bin/oxlint', '--deny-warnings') },
  { title: 'prettier', ...node('prettier/bin/prettier.cjs', '--check', '.') },
  { title: 'tsc', ...node('typescript/bin/tsc', '--noEmit') },
  {
    title: 'tests of scripts/ and bench/',
    command: process.execPath,
    args: ['--test', '--test-reporter=tap', ...scriptTests],
    count: countOfNodeTests,
  },
  // Two halves that take about the same time. They mostly wait, so they run at the same time.
  ...['a-j', '!a-j'].map((letters) => ({
    title: `tests of agent/, test_[${letters}]*.py`,
    command: 'python3',
    // Verbose, so that the reasons of skipped tests are printed.
    args: ['-m', 'unittest', 'discover', '-v', '-s', 'agent/tests', '-p', `test_[${letters}]*.py`],
    count: countOfUnittest,
  })),
];

await runMain(async () => {
  const jestArguments = process.argv.slice(2);
  await step('packages', installPackages);
  await step('programs the tests use', ensureTestPrograms);
  await step('build', build);
  // The checks need no Docker, and its set-up mostly waits. So both run at the same time.
  const checks = runChecks(jestArguments.length === 0 ? CHECKS : []);
  const docker = await step('Docker engine', ensureDocker);
  await step('sandbox image', () => ensureSandboxImage(docker.engine));
  const env = { ...process.env, DOCKER_HOST: docker.host, SANDBOX_TEST_IMAGE: SANDBOX_IMAGE };

  const counts = [];
  for (const project of ['unit', 'http', 'medium']) counts.push(await test(project, jestArguments, env));
  counts.push(...(await checks));
  counts.push(await test('e2e', jestArguments, env));
  if (jestArguments.length === 0) {
    if (process.env.TEST_ENGINES === 'all') {
      for (const name of Object.keys(OTHER_ENGINES)) counts.push(...(await testOnOtherEngine(name, docker.engine, [])));
      counts.push(...(await testOnKubernetes(docker.engine, [])));
    } else {
      sayWhatIsNotRun();
      sayKubernetesIsNotRun();
    }
  }
  finish(counts);
});

async function test(project, jestArguments, env) {
  return (await step(`jest: ${project}`, () => runJest(project, jestArguments, { env }))).count;
}

/** Runs the checks, two at a time. */
async function runChecks(checks) {
  const left = [...checks];
  const counts = [];
  const runNext = async () => {
    for (let check = left.shift(); check !== undefined; check = left.shift()) counts.push(await runCheck(check));
  };
  await Promise.all([runNext(), runNext()]);
  return counts;
}

/** Runs a check. Prints it as a whole when it has ended, because other steps print meanwhile. */
async function runCheck({ title, command, args, count = countOfCheck }) {
  const begun = performance.now();
  const { succeeded, output } = await outcomeOf(command, args);
  const counted = count(succeeded, output);
  const { passed, failed } = counted;
  const shown = succeeded ? [...output.matchAll(/^.* \.\.\. skipped .*$/gm)].map(([line]) => `\n  ${line}`).join('') : `\n${output}`;
  console.log(`• ${title}: ${passed} passed, ${failed} failed (${((performance.now() - begun) / 1000).toFixed(1)} s)${shown}`);
  return counted;
}

function outcomeOf(command, args) {
  let output = '';
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ succeeded: false, output: String(error) }));
    child.on('close', (code) => resolve({ succeeded: code === 0, output }));
  });
}
