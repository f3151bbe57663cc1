import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run, say, which } from './steps.mjs';

const APT_DEADLINE_MS = 10 * 60_000;
let listsUpdated = false;

/** Whether packages can be installed here: on Debian, Ubuntu or a derivative, as root. */
export function canInstallPackages() {
  return process.platform === 'linux' && process.getuid() === 0 && isDebianLike() && which('apt-get') !== undefined;
}

export function isDebianLike() {
  const { ID, ID_LIKE = '' } = osRelease();
  return [ID, ...ID_LIKE.split(' ')].some((id) => id === 'debian' || id === 'ubuntu');
}

/** Returns the suite of this machine's packages, such as `bookworm`. */
export function suite() {
  const release = osRelease();
  return release.UBUNTU_CODENAME ?? release.VERSION_CODENAME;
}

/** Installs Debian packages, and nothing that they merely recommend. */
export async function aptInstall(packages) {
  say(`installing ${packages.join(', ')} with apt-get`);
  await updateLists();
  await apt('install', '-y', '--no-install-recommends', ...packages);
}

/**
 * Unpacks Debian packages, and what they need that is not installed, into a directory. None of them
 * is installed, so no server of theirs starts.
 */
export async function aptUnpack(packages, directory) {
  say(`unpacking ${packages.join(', ')}`);
  await updateLists();
  const archives = join(directory, 'archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  await apt('-o', `Dir::Cache::archives=${archives}`, 'install', '-y', '--download-only', '--no-install-recommends', ...packages);
  const files = readdirSync(archives).filter((name) => name.endsWith('.deb'));
  for (const name of files) await run('dpkg', ['-x', join(archives, name), directory], { deadlineMs: APT_DEADLINE_MS });
  rmSync(archives, { recursive: true });
}

async function updateLists() {
  if (!listsUpdated) await apt('update');
  listsUpdated = true;
}

function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], { env, deadlineMs: APT_DEADLINE_MS });
}

/**
 * Returns where this machine gets its suite from, as one-line apt sources. That includes its own
 * mirror, updates and security. Other suites and other vendors' archives are left out.
 */
export function distributionSources(directory = '/etc/apt', codename = suite()) {
  const files = [join(directory, 'sources.list')];
  const parts = join(directory, 'sources.list.d');
  if (existsSync(parts)) files.push(...readdirSync(parts).map((name) => join(parts, name)));
  const suites = [codename, `${codename}-updates`, `${codename}-security`];
  return files
    .filter((file) => /\.(list|sources)$/.test(file) && existsSync(file))
    .flatMap((file) => {
      const text = readFileSync(file, 'utf8');
      return file.endsWith('.list') ? oneLineSources(text) : deb822Sources(text);
    })
    .filter((source) => suites.includes(source.suite) && source.components.includes('main'))
    .map(({ options, uri, suite: name, components }) => `deb ${options}${uri} ${name} ${components.join(' ')}`);
}

function oneLineSources(text) {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line.trim());
    return match ? [{ options: match[1] ?? '', uri: match[2], suite: match[3], components: match[4].trim().split(/\s+/) }] : [];
  });
}

function deb822Sources(text) {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const words = (name) => new RegExp(`^${name}:(.*)$`, 'im').exec(stanza)?.[1].trim().split(/\s+/) ?? [];
    if (!words('Types').includes('deb') || words('Enabled')[0] === 'no') return [];
    const [keyring] = words('Signed-By');
    const options = keyring?.startsWith('/') ? `[signed-by=${keyring}] ` : '';
    return words('URIs').flatMap((uri) => words('Suites').map((name) => ({ options, uri, suite: name, components: words('Components') })));
  });
}

function osRelease() {
  if (!existsSync('/etc/os-release')) return {};
  const lines = readFileSync('/etc/os-release', 'utf8').matchAll(/^([A-Z_]+)="?([^"\n]*)"?$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}
