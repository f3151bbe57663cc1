import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from './steps.mjs';

const BUILD_INPUTS = [
  'apps',
  'libs',
  'packages/client/src',
  'agent',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'package-lock.json',
];
const BUILD_STAMP = join(ROOT, 'dist', '.built-from');

/** Installs the packages of package-lock.json, unless that was done since the file last changed. */
export async function installPackages() {
  // npm writes this file at the very end of an installation, so half an installation never counts.
  const installed = modifiedAt('node_modules/.package-lock.json');
  if (installed >= modifiedAt('package-lock.json')) return { note: 'up to date' };
  const npm = process.env.npm_execpath;
  const [command, ...prefix] = npm === undefined ? ['npm'] : [process.execPath, npm];
  // --include=dev, because the compiler is needed even if NODE_ENV says production.
  await run(command, [...prefix, 'ci', '--include=dev', '--no-audit', '--no-fund'], { deadlineMs: 10 * 60_000 });
  return { note: 'installed' };
}

/** Compiles the services into dist/, unless it was compiled from the very same sources. */
export async function build() {
  const sources = hashOf(BUILD_INPUTS);
  if (existsSync(BUILD_STAMP) && readFileSync(BUILD_STAMP, 'utf8') === sources) return { note: 'up to date' };
  await run(process.execPath, [join('node_modules', '@nestjs', 'cli', 'bin', 'nest.js'), 'build'], { deadlineMs: 5 * 60_000 });
  writeFileSync(BUILD_STAMP, sources);
  return { note: 'built' };
}

/** @returns 0 if the file is absent */
function modifiedAt(path) {
  return statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(filesBelow)) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update('\0');
  }
  return hash.digest('hex');
}

function filesBelow(path) {
  const full = join(ROOT, path);
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full)
    .filter((name) => name !== '__pycache__')
    .sort()
    .flatMap((name) => filesBelow(join(path, name)));
}
