import { workspacePath } from './workspace-path';

describe('workspacePath', () => {
  it.each([
    ['', ''],
    ['/', ''],
    ['a/b', 'a/b'],
    ['/a//b/', 'a/b'],
    ['./a/./b', 'a/b'],
    ['a/../b', 'b'],
    ['a/..', ''],
    ['-rf', '-rf'],
    ['$(id)', '$(id)'],
    ['a\nb "\' c', 'a\nb "\' c'],
    ['...', '...'],
    [' ', ' '],
    ['a\\..\\b', 'a\\..\\b'],
  ])('%j is %j', (path, expected) => {
    expect(workspacePath(path)).toBe(expected);
  });

  it.each(['..', '/..', 'a/../..', 'a/../../b', '../workspace', 'a\0b', 'x'.repeat(4097), '€'.repeat(1366)])('refuses %j', (path) => {
    expect(() => workspacePath(path)).toThrow(expect.objectContaining({ code: 'INVALID_PATH' }));
  });

  it('takes 4096 bytes', () => {
    expect(workspacePath('x'.repeat(4096))).toHaveLength(4096);
  });
});
