import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ROOT = join(__dirname, '..');

/** The documents for people, as paths from the root. */
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'agent/PROTOCOL.md',
  'packages/client/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`),
];

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** @returns a text without its blocks of code */
function prose(text: string): string {
  return text.replaceAll(/^ *```[^]*?^ *```/gm, '');
}

/** @returns the anchors of a document's headings, as GitHub makes them */
function anchorsOf(text: string): Set<string> {
  const titles = [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, title]) => title!);
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** @returns where the links and pictures of a document lead, but not those to other sites */
function targetsOf(text: string): string[] {
  const targets = [...prose(text).matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g)].map(([, inText, inTag]) => inText ?? inTag!);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

/** @returns whether a link of a document leads to a file that is there, and to a heading of it */
function leadsSomewhere(document: string, target: string): boolean {
  const [path, anchor] = target.split('#') as [string, string?];
  const file = path === '' ? document : relative(ROOT, join(ROOT, dirname(document), path));
  if (file.startsWith('..') || !existsSync(join(ROOT, file))) return false;
  return anchor === undefined || anchorsOf(read(file)).has(anchor);
}

describe('The documents', () => {
  it.each(DOCUMENTS)('link only to what is there: %s', (document) => {
    const broken = targetsOf(read(document)).filter((target) => !leadsSomewhere(document, target));
    expect(broken).toEqual([]);
  });

  it('are all linked from another one', () => {
    const linked = new Set(
      DOCUMENTS.flatMap((document) => targetsOf(read(document)).map((target) => join(dirname(document), target.split('#')[0]!))),
    );
    const adrs = (path: string): boolean => path.startsWith('docs/adr/');
    expect(DOCUMENTS.filter((path) => path !== 'README.md' && !adrs(path) && !linked.has(path))).toEqual([]);
  });
});

describe('A page of docs/guides', () => {
  const guides = DOCUMENTS.filter((path) => path.startsWith('docs/guides/'));

  it.each(guides)('is short, and says first what the reader gets, and last what comes next: %s', (path) => {
    const lines = read(path).trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(60);
    expect(lines[2]).toMatch(/^You get /);
    expect(lines.at(-1)).toMatch(/^\*\*What next:\*\* /);
  });
});

describe('docs/rest.md', () => {
  it('has every call of docs/openapi.json', () => {
    const { paths } = JSON.parse(read('docs/openapi.json')) as { paths: Record<string, object> };
    const calls = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('{session_id}', '{id}')}`),
    );
    expect(calls.length).toBeGreaterThan(30);
    const told = [...read('docs/rest.md').matchAll(/`([A-Z]+ \/[^`?]*)(?:\?[^`]*)?`/g)].map(([, call]) => call!);
    expect(calls.filter((call) => !told.includes(call))).toEqual([]);
  });
});
