import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join, relative } from 'node:path';

const ROOT = join(__dirname, '..');
const MAX_COLUMNS = 100;

/** Folders of what is installed, built or left by a run. */
const NOT_OURS: ReadonlySet<string> = new Set(['node_modules', 'dist', 'coverage', '.git', '.sandbox', '__pycache__']);

const IN_SCRIPTS = /^\s*(?:\/\/|\/\*|\*)/;
const AFTER_HASH = /^\s*#/;

/** How a comment line begins, by the extension of a file's name. */
const BEGINNINGS: Readonly<Record<string, RegExp>> = {
  '.ts': IN_SCRIPTS,
  '.mjs': IN_SCRIPTS,
  '.cjs': IN_SCRIPTS,
  '.js': IN_SCRIPTS,
  '.py': AFTER_HASH,
  '.sh': AFTER_HASH,
  '.yml': AFTER_HASH,
};

function beginningIn(path: string): RegExp | undefined {
  if (basename(path).startsWith('Dockerfile') || path === '.env.example') return AFTER_HASH;
  return BEGINNINGS[extname(path)];
}

/** Its comments are the texts of docs/openapi.json. */
const GENERATED = 'packages/client/src/schema.ts';

/** @returns the files of the repository, as paths from its root */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : filesBelow(path);
    return entry.isFile() ? [relative(ROOT, path)] : [];
  });
}

/** @returns the comment lines of a text that are too long, each as `line: columns` */
function longComments(text: string, beginning: RegExp): string[] {
  return text.split('\n').flatMap((line, index) => {
    const columns = [...line].length;
    return columns > MAX_COLUMNS && beginning.test(line) ? [`line ${index + 1}: ${columns} columns`] : [];
  });
}

describe('a comment', () => {
  it(`has at most ${MAX_COLUMNS} columns in every file of the repository`, () => {
    const files = filesBelow(ROOT);
    expect(files.length).toBeGreaterThan(400);
    const faults = files.flatMap((path) => {
      const beginning = beginningIn(path);
      if (beginning === undefined || path === GENERATED) return [];
      return longComments(readFileSync(join(ROOT, path), 'utf8'), beginning).map((fault) => `${path}, ${fault}`);
    });
    expect(faults).toEqual([]);
  });

  it.each([
    ['a.ts', '  // '],
    ['a.mjs', ' * '],
    ['scripts/a.cjs', '/** '],
    ['agent/a.py', '    # '],
    ['.env.example', '# '],
    ['Dockerfile.agent', '# '],
    ['docker-compose.yml', '  # '],
  ])('is found in %s when it has one column too many, and not before', (path, start) => {
    const longest = `${start}${'é'.repeat(MAX_COLUMNS - start.length)}`;
    expect(longComments(`${longest}\n${longest}x\n`, beginningIn(path)!)).toEqual(['line 2: 101 columns']);
  });

  it('is not looked for in code, nor in files of other kinds', () => {
    expect(longComments(`const text = '${'x'.repeat(MAX_COLUMNS)}'; // why`, IN_SCRIPTS)).toEqual([]);
    expect(beginningIn('README.md')).toBeUndefined();
  });
});
