import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { atExit } from '../cleanup.mjs';
import { callJson, deleteSession, execute, expectStatus, sessionPath } from '../client.mjs';
import { timeRow } from '../figures.mjs';
import { timed, timesOf } from '../measure.mjs';

export const name = 'install';
export const title = '`npm install` of ten thousand files, in a session with a disk';

const GOAL = 1.5;
const DIRECTORIES = 100;
const FILES = 100;
const CPUS = String(availableParallelism());
const ENV = {
  MAX_SESSION_DISK: '4g',
  MAX_SESSION_MEMORY: '1g',
  MAX_SESSION_CPUS: CPUS,
  MAX_EXEC_TIMEOUT_SECONDS: '600',
  WORKSPACE_MAX_FILE_SIZE_BYTES: '0',
};

/**
 * The same npm and node install the same package from the same file: in a sandbox, and on the host
 * beside Docker's data root. Each begins with an empty cache.
 */
export async function run(scope) {
  mkdirSync('.sandbox', { recursive: true });
  const directory = mkdtempSync(resolve('.sandbox', 'bench-'));
  const remove = atExit(async () => rmSync(directory, { recursive: true, force: true }));
  try {
    const archive = prepare(directory);
    const service = await scope.start({ env: ENV });
    await callJson(200, service, 'POST', '/sessions', { session_id: 'install', disk: '4g', memory: '1g', cpus: Number(CPUS) });
    const headers = { 'Content-Type': 'application/octet-stream' };
    await expectStatus(204, service, 'PUT', sessionPath('install', '/workspace/content?path=tools.tar'), { body: archive, headers });
    await execute(service, 'install', 'mkdir tools && tar -xf tools.tar -C tools', { timeout: 120 });
    const times = [[], []];
    for (let round = -1; round < scope.pick(8, 2); round++) {
      await execute(service, 'install', 'rm -rf project cache', { timeout: 120 });
      const inside = install('tools', '$PWD/cache', 'project');
      const ours = await timed(() => execute(service, 'install', inside, { timeout: 600 }));
      const host = join(directory, 'host');
      rmSync(host, { recursive: true, force: true });
      mkdirSync(host);
      const floor = await timed(() => shell(host, install(directory, `${host}/cache`, 'project')));
      if (round >= 0) [ours, floor].forEach((time, index) => times[index].push([time]));
    }
    const [ours, floor] = times.map(timesOf);
    scope.row(timeRow({ what: '`npm install` of 10,000 files', ours, floor, floorName: 'the same on the host', goal: GOAL }));
    await deleteSession(service, 'install');
  } finally {
    await remove();
  }
}

/** Installs, and checks that all files are there. `tools` has node, npm and the package. */
function install(tools, cache, project) {
  const at = tools.startsWith('/') ? tools : `$PWD/${tools}`;
  return [
    `tools=${at} && mkdir ${project} && cd ${project} && echo '{}' > package.json`,
    `"$tools/node" "$tools/npm/bin/npm-cli.js" install --offline --no-audit --no-fund --loglevel=error --cache ${cache.replace('$PWD', '$OLDPWD')} "$tools/package.tgz"`,
    `test $(find node_modules/many -type f | wc -l) -gt ${DIRECTORIES * FILES}`,
  ].join(' && ');
}

/** Gathers node, npm and a package of small files. Returns a tar of them. */
function prepare(directory) {
  const npm = process.env.npm_execpath;
  if (npm === undefined) throw new Error('start this by `npm run bench`');
  cpSync(process.execPath, join(directory, 'node'));
  cpSync(join(npm, '../..'), join(directory, 'npm'), { recursive: true });
  const content = join(directory, 'package');
  mkdirSync(content);
  writeFileSync(join(content, 'package.json'), JSON.stringify({ name: 'many', version: '1.0.0' }));
  for (let d = 0; d < DIRECTORIES; d++) {
    mkdirSync(join(content, `d${d}`));
    for (let f = 0; f < FILES; f++) writeFileSync(join(content, `d${d}`, `f${f}.js`), `module.exports = ${d * f};\n`.repeat(1 + (f % 40)));
  }
  execFileSync('tar', ['-czf', 'package.tgz', 'package'], { cwd: directory });
  rmSync(content, { recursive: true });
  return execFileSync('tar', ['-cf', '-', 'node', 'npm', 'package.tgz'], { cwd: directory, maxBuffer: 2 ** 31 - 1 });
}

function shell(cwd, script) {
  return new Promise((done, fail) => {
    const child = spawn('sh', ['-c', script], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
    child.on('error', fail);
    child.on('exit', (code) => (code === 0 ? done() : fail(new Error(`the host's npm ended with ${code}`))));
  });
}
