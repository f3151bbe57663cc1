import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { distributionSources, suite } from '../../setup/apt.mjs';
import { run, SetupError } from '../../setup/steps.mjs';

const DEADLINE_MS = 10 * 60_000;
/** Debian 12 is the last release whose package `kubernetes` has the servers' sources. */
const SUITE = 'bookworm';

/**
 * Gets packages of Debian 12 and unpacks them, whatever this machine has installed. apt has its own
 * lists in a directory, with the sources of packages too. So the machine's lists stay as they are.
 * @param {string} directory where apt keeps its lists
 */
export async function bookwormPackages(directory) {
  const sources = distributionSources().map((source) => source.replaceAll(suite(), SUITE));
  if (!sources[0]?.includes('/debian')) throw new SetupError('A Kubernetes cluster is made on Debian only.');
  for (const each of ['lists/partial', 'cache/archives/partial', 'parts']) mkdirSync(join(directory, each), { recursive: true });
  const withSources = sources.flatMap((source) => [source, source.replace(/^deb /, 'deb-src ')]);
  writeFileSync(join(directory, 'sources.list'), `${withSources.join('\n')}\n`);
  const options = [
    `Dir::Etc::sourcelist "${join(directory, 'sources.list')}";`,
    `Dir::Etc::sourceparts "${join(directory, 'parts')}";`,
    `Dir::State::lists "${join(directory, 'lists')}";`,
    `Dir::Cache "${join(directory, 'cache')}";`,
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
  ];
  const configuration = join(directory, 'apt.conf');
  writeFileSync(configuration, `${options.join('\n')}\n`);
  const env = { ...process.env, APT_CONFIG: configuration, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (program, ...args) => run('env', ['-C', directory, program, '-qq', ...args], { env, deadlineMs: DEADLINE_MS });
  await apt('apt-get', 'update');
  return {
    /** Unpacks binary packages below `target`. It installs none, so no server of theirs starts. */
    async unpack(names, target) {
      mkdirSync(target, { recursive: true });
      await apt('apt-get', 'download', ...names);
      for (const file of readdirSync(directory).filter((name) => name.endsWith('.deb') && names.includes(name.split('_')[0])))
        await run('dpkg-deb', ['-x', join(directory, file), target], { deadlineMs: DEADLINE_MS });
    },
    /** Unpacks the source of a package, with Debian's patches, as the directory `target`. */
    async unpackSource(name, target) {
      await apt('apt-get', '--download-only', 'source', name);
      const description = readdirSync(directory).find((file) => file.startsWith(`${name}_`) && file.endsWith('.dsc'));
      await run('dpkg-source', ['--no-check', '-x', join(directory, description), target], { deadlineMs: DEADLINE_MS });
    },
  };
}
