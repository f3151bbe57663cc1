import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VARIABLES } from '@sandbox/config';

const read = (path: string): string => readFileSync(join(__dirname, '..', path), 'utf8');

interface Documented {
  name: string;
  default: string;
  description: string;
}

const inCode: Documented[] = Object.entries(VARIABLES).map(([name, { default: text, description }]) => ({
  name,
  default: text,
  description,
}));

describe('one list of settings', () => {
  test('.env.example has every variable, its default and its description, and no other', () => {
    const documented = [...read('.env.example').matchAll(/((?:^# .+\n)+)#?([A-Z_]+)=(.*)$/gm)];
    // A description may take several lines.
    const unwrapped = (lines = ''): string => lines.trimEnd().replaceAll('\n# ', ' ').replace('# ', '');
    expect(documented.map(([, lines, name, text]) => ({ name, default: text, description: unwrapped(lines) }))).toEqual(inCode);
  });

  test('.env.example changes nothing when it is copied as it is', () => {
    const active = [...read('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm)];
    expect(active.map(([line]) => line)).toEqual(['API_KEYS=']);
  });

  test('the table of docs/settings.md has every variable, its default and its description, and no other', () => {
    const rows = [...read('docs/settings.md').matchAll(/^\| `([A-Z_]+)` \| (?:`(.*?)`|\(empty\)) \| (.+) \|$/gm)];
    expect(rows.map(([, name, text = '', description]) => ({ name, default: text, description }))).toEqual(inCode);
  });

  test('docker-compose.yml hands every variable to the services', () => {
    const settings = /^x-settings:.*\n((?: {2}.*\n)+)/m.exec(read('docker-compose.yml'))![1]!;
    const names = [...settings.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, name]) => name);
    expect(names.sort()).toEqual(Object.keys(VARIABLES).sort());
  });
});
