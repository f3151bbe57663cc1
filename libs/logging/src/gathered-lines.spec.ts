import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { gatherLines } from './gathered-lines';

describe('gatherLines', () => {
  let directory: string;
  let file: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lines-'));
    file = join(directory, 'log');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('writes lines in order, all at once, when they come at once', async () => {
    const descriptor = openSync(file, 'w');
    const lines = gatherLines(descriptor);
    const expected = Array.from({ length: 100 }, (_, index) => `line ${index}\n`);
    for (const line of expected) lines.write(line);
    expect(fstatSync(descriptor).size).toBe(0);
    while (fstatSync(descriptor).size === 0) await sleep(1);
    expect(readFileSync(file, 'utf8')).toBe(expected.join(''));
    lines.write('later\n');
    while (!readFileSync(file, 'utf8').endsWith('later\n')) await sleep(1);
    closeSync(descriptor);
  });

  it('loses no line when the process exits right after it', () => {
    const source = readFileSync(join(__dirname, 'gathered-lines.ts'), 'utf8');
    const { outputText } = transpileModule(source, { compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 } });
    const program = `${outputText}; gatherLines(1).write('last words\\n'); process.exit(3);`;
    const { status, stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([3, 'last words\n']);
  });
});
