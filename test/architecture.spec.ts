import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '..');
const CRUISER = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

interface Violation {
  rule: { name: string };
  from: string;
  to: string;
}

/** @returns what dependency-cruiser, with our rules, objects to in the sources below `directory` */
function violations(directory: string, folders: readonly string[], rules = '.dependency-cruiser.cjs'): string[] {
  const cruise = spawnSync(process.execPath, [CRUISER, '--config', rules, '--output-type', 'json', ...folders], {
    cwd: directory,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const { summary } = JSON.parse(cruise.stdout) as { summary: { violations: Violation[]; totalCruised: number } };
  expect(summary.totalCruised).toBeGreaterThan(0);
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
}

function sourcesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
    .map((path) => `${folder}/${path}`);
}

describe('architecture', () => {
  test('every import follows the rules of .dependency-cruiser.cjs', () => {
    expect(violations(ROOT, ['apps', 'libs', 'packages', 'test'])).toEqual([]);
  });

  test('no two folders of the product import each other', () => {
    expect(violations(ROOT, ['apps', 'libs'], '.dependency-cruiser.folders.cjs')).toEqual([]);
  });

  test('only libs/config, and the start of the command line, read process.env', () => {
    const readers = [...sourcesBelow('apps'), ...sourcesBelow('libs')].filter((path) =>
      /\bprocess\s*\.\s*env\b|\bprocess\[|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/.test(readFileSync(join(ROOT, path), 'utf8')),
    );
    // The command line is no service, and has settings of its own.
    expect(readers.sort()).toEqual(['apps/cli/src/main.ts', 'libs/config/src/config.ts']);
  });

  test('a test names its deployment when it starts a part of the service on a real engine or store', () => {
    const unnamed = ['test/medium', 'test/e2e', 'test/chaos', 'test/support', 'bench']
      .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`))
      .filter((path) => /\.[cm]?[jt]s$/.test(path))
      .map((path) => [path, readFileSync(join(ROOT, path), 'utf8')] as const)
      .filter(([, text]) => /\bloadConfig\(|apps\/(api|cleanup)\/src\/main/.test(text) && !text.includes('DEPLOYMENT'));
    expect(unnamed.map(([path]) => path)).toEqual([]);
  });
});

/**
 * A small project in a temporary directory. It breaks every rule, and also uses every import that
 * is allowed.
 */
describe('the rules themselves', () => {
  const forbidden: [rule: string, path: string, imported: string][] = [
    ['errors-knows-only-itself', 'libs/errors/src/a.ts', '@sandbox/config'],
    ['sessions-knows-only-redis-config-counters-errors-text', 'libs/sessions/src/a.ts', '@sandbox/orchestrator'],
    ['orchestrator-knows-only-sessions-command-policy-config-egress-errors-text', 'libs/orchestrator/src/a.ts', '../../../apps/api/src/b'],
    ['no-way-past-an-index', 'apps/api/src/past-index.ts', '../../../libs/sessions/src/b'],
    ['no-sideways-between-apps', 'apps/cleanup/src/a.ts', '../../api/src/b'],
    ['only-docker-knows-dockerode', 'apps/api/src/docker.ts', 'dockerode'],
    ['only-docker-knows-dockerode', 'libs/orchestrator/src/channel/a.ts', 'dockerode'],
    ['runtimes-are-behind-their-port', 'libs/orchestrator/src/entering/a.ts', '../runtime/docker/b'],
    ['runtimes-are-behind-their-port', 'libs/orchestrator/src/pool/a.ts', '../runtime/kubernetes/b'],
    ['no-runtime-knows-another', 'libs/orchestrator/src/runtime/kubernetes/a.ts', '../docker/b'],
    ['bytes-and-paths-are-leaves', 'libs/orchestrator/src/bytes/a.ts', '../channel/b'],
    ['bytes-and-paths-are-leaves', 'libs/orchestrator/src/paths/a.ts', '../channel/b'],
    ['channel-is-a-leaf', 'libs/orchestrator/src/channel/c.ts', '../runtime/b'],
    ['calls-enter-and-know-no-runtime', 'libs/orchestrator/src/commands/a.ts', '../runtime/b'],
    ['calls-enter-and-know-no-runtime', 'libs/orchestrator/src/keepers/a.ts', '../runtime/b'],
    ['only-the-store-knows-redis', 'libs/sessions/src/memory/a.ts', 'ioredis'],
    ['no-framework-in-the-ground-floor', 'libs/config/src/a.ts', 'zod'],
    ['no-test-code-in-the-product', 'apps/api/src/test-code.ts', '../../../test/b'],
    ['no-cycles', 'apps/api/src/cycle.ts', './cycle'],
    ['nothing-unresolved', 'apps/api/src/unresolved.ts', './absent'],
  ];
  const allowed: [path: string, imported: string][] = [
    ['libs/orchestrator/src/runtime/docker/ok.ts', 'dockerode'],
    ['libs/orchestrator/src/runtime/ok.ts', './docker/b'],
    ['libs/orchestrator/src/commands/ok.ts', '../entering/b'],
    ['libs/orchestrator/src/channel/ok.ts', '../bytes/b'],
    ['libs/sessions/src/redis/ok.ts', 'ioredis'],
    ['libs/orchestrator/src/ok.ts', '@sandbox/sessions'],
    ['apps/api/src/ok.ts', '@sandbox/orchestrator'],
  ];
  let found: string[];

  beforeAll(() => {
    const directory = mkdtempSync(join(tmpdir(), 'sandbox-architecture-'));
    const plant = (path: string, text: string): void => {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    };
    try {
      for (const name of ['.dependency-cruiser.cjs', 'tsconfig.json']) cpSync(join(ROOT, name), join(directory, name));
      for (const library of ['config', 'errors', 'sessions', 'orchestrator']) plant(`libs/${library}/src/index.ts`, 'export const a = 1;');
      for (const room of ['bytes', 'channel', 'entering', 'runtime', 'runtime/docker', 'runtime/kubernetes'])
        plant(`libs/orchestrator/src/${room}/b.ts`, 'export const b = 1;');
      for (const path of ['apps/api/src/b.ts', 'libs/sessions/src/b.ts', 'test/b.ts']) plant(path, 'export const b = 1;');
      for (const name of ['dockerode', 'ioredis', 'zod']) {
        plant(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }));
        plant(`node_modules/${name}/index.js`, '');
      }
      const imports = [...forbidden.map(([, path, imported]) => [path, imported] as const), ...allowed];
      for (const [path, imported] of imports) plant(path, `import * as it from '${imported}';\nexport { it };`);
      found = violations(directory, ['apps', 'libs', 'test']);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test.each(forbidden)('%s: %s may not import %s', (rule, path) => {
    expect(found).toContainEqual(expect.stringContaining(`${rule}: ${path} -> `));
  });

  test.each(allowed)('%s may import %s', (path) => {
    expect(found).not.toContainEqual(expect.stringContaining(`: ${path} -> `));
  });
});
