import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');
const SHORT: Readonly<Record<string, string>> = { 'A/': 'apps/api/src/', 'O/': 'libs/orchestrator/src/', 'S/': 'libs/sessions/src/' };

describe('docs/architecture.md', () => {
  const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const files = ['agent', 'apps', 'libs', 'test', 'docs', 'bench', 'scripts'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  );
  files.push(...readdirSync(ROOT));

  test('names only files and folders that are there', () => {
    const named = [...page.matchAll(/`((?:[\w.-]+\/)*[\w.-]+(?:\/|\.ts|\.py|\.md|\.cjs))`/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(60);
    const absent = named.filter((path) => {
      const whole = SHORT[path.slice(0, 2)] === undefined ? path : `${SHORT[path.slice(0, 2)]}${path.slice(2)}`;
      return !files.some((file) => file === whole || file.endsWith(`/${whole}`) || `/${file}`.includes(`/${whole.replace(/\/?$/, '/')}`));
    });
    expect(absent).toEqual([]);
  });

  test('names every room of the API, of the orchestrator and of the agent, and every library', () => {
    const folders = Object.entries({ 'A/': 'apps/api/src', 'O/': 'libs/orchestrator/src', 'libs/': 'libs', '': 'agent' }).flatMap(
      ([short, folder]) =>
        readdirSync(join(ROOT, folder), { withFileTypes: true })
          .filter((entry) => entry.isDirectory() && !/^(__pycache__|tests)$/.test(entry.name))
          .map((entry) => `${short}${entry.name}`),
    );
    const named = (folder: string): boolean => page.includes(`\`${folder}/\``) || page.includes(`\`${folder}\``);
    const others = ['libs/sessions', 'libs/orchestrator'];
    expect(folders.filter((folder) => !named(folder) && !others.includes(folder))).toEqual([]);
  });

  test('is at most 250 lines long', () => {
    expect(page.split('\n').length).toBeLessThanOrEqual(250);
  });
});
