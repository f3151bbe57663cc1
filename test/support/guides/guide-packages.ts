import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../../..');
const LISTS = ['package.json', 'package-lock.json'];
const INSTALLED = join(ROOT, '.sandbox/guides');

/** Packages of the guides that the repository has, for other tests or for the client. */
const OF_THE_REPOSITORY = ['e2b', 'eventsource-parser', 'openapi-fetch', 'openapi-typescript-helpers', 'typescript'];

/**
 * Installs the packages of `package.json` beside this file below `.sandbox`, unless they are there.
 * They are no devDependencies, because `npm start` installs these, and they are large.
 * @returns where each package is, by its name
 */
export async function installGuidePackages(): Promise<ReadonlyMap<string, string>> {
  const sameList = LISTS.every((name) => {
    const copy = join(INSTALLED, name);
    return existsSync(copy) && readFileSync(copy, 'utf8') === readFileSync(join(__dirname, name), 'utf8');
  });
  // npm writes this file at the very end, so half an installation never counts.
  if (!sameList || !existsSync(join(INSTALLED, 'node_modules/.package-lock.json'))) {
    mkdirSync(INSTALLED, { recursive: true });
    for (const name of LISTS) copyFileSync(join(__dirname, name), join(INSTALLED, name));
    await run('npm', ['ci', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: INSTALLED });
  }
  const place = (folder: string, names: readonly string[]): [string, string][] =>
    names.map((name) => [name, join(folder, 'node_modules', name)]);
  const { dependencies } = JSON.parse(readFileSync(join(__dirname, 'package.json'), 'utf8')) as { dependencies: object };
  return new Map([...place(INSTALLED, Object.keys(dependencies)), ...place(ROOT, OF_THE_REPOSITORY)]);
}
