import { createReadStream, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, distributionSources, suite } from './apt.mjs';
import { runOnEngine } from './docker-api.mjs';
import { run, STATE_DIR, which } from './steps.mjs';

const DEADLINE_MS = 10 * 60_000;
const IMPORT_SILENCE_MS = 120_000;

/**
 * Makes an image of this machine's own distribution from its packages, without a registry. Needs
 * root and apt.
 * @param {{ tag: string, packages: readonly string[], hooks: readonly string[], changes: readonly
 *   string[] }} image `hooks` are shell commands that finish the root directory, `$1`; `changes`
 *   are Dockerfile instructions such as `ENV A=b`
 */
export async function makeDebianImage(engine, { tag, packages, hooks, changes }) {
  if (which('mmdebstrap') === undefined) await aptInstall(['mmdebstrap']);
  const tar = join(STATE_DIR, 'image.tar');
  try {
    const options = [
      '--variant=minbase',
      '--quiet',
      `--include=${packages.join(',')}`,
      ...['doc', 'man', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      ...hooks.map((hook) => `--customize-hook=${hook}`),
    ];
    await run(which('mmdebstrap'), [...options, suite(), tar, ...distributionSources()], { deadlineMs: DEADLINE_MS });
    await importTar(engine, tar, tag, changes);
  } finally {
    rmSync(tar, { force: true });
  }
}

async function importTar(engine, tar, tag, changes) {
  const [repo, version] = tag.split(':');
  const query = new URLSearchParams({ fromSrc: '-', repo, tag: version });
  for (const change of changes) query.append('changes', change);
  await runOnEngine(engine, {
    path: `/images/create?${query}`,
    headers: { 'Content-Length': statSync(tar).size },
    body: createReadStream(tar),
    silenceMs: IMPORT_SILENCE_MS,
  });
}
