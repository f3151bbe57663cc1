import { workspaceGlob } from './workspace-glob';

describe('workspaceGlob', () => {
  it.each([
    ['*.py', '*.py', 'name'],
    ['**', '**', 'name'],
    ['src/*.py', 'src/*.py', 'below'],
    ['./src/**', 'src/**', 'below'],
    ['././src//x', 'src/x', 'below'],
    ['src/./x', 'src/x', 'below'],
    ['src/../lib/**', 'lib/**', 'below'],
    ['./main.py', 'main.py', 'below'],
    ['src/', 'src/**', 'below'],
    ['src/**/', 'src/**/**', 'below'],
    ['/workspace/src/**', 'src/**', 'root'],
    ['/workspace/**', '**', 'root'],
    ['/workspace//*.py', '*.py', 'root'],
    ['/workspace/src/', 'src/**', 'root'],
    ['{src,lib}/**', '{src,lib}/**', 'below'],
    ['{src/,}*.py', '{src/,}*.py', 'below'],
    ['*.{c,h}', '*.{c,h}', 'name'],
    ['{.a/b,..c}', '{.a/b,..c}', 'below'],
    ['src[/]x', 'src[/]x', 'below'],
    ['\\{/./a', '\\{/a', 'below'],
  ])('takes %j for %j, of a %s', (glob, expected, of) => {
    expect(workspaceGlob(glob, { path: '' })).toEqual({ glob: expected, glob_of: of });
  });

  it('searches all files when no glob is given', () => {
    expect(workspaceGlob(undefined, { path: '' })).toMatchObject({ glob: null });
  });

  it.each(['/workspace', '/workspace/', '/', '.', './'])('searches all files when the glob is %j', (glob) => {
    expect(workspaceGlob(glob, { path: '' })).toMatchObject({ glob: null });
  });

  it.each([
    ['/src/**', 'PATH_OUTSIDE_WORKSPACE', 'give "src/**"'],
    ['/etc/*', 'PATH_OUTSIDE_WORKSPACE', 'give "etc/*"'],
    ['/**', 'PATH_OUTSIDE_WORKSPACE', 'give "**"'],
    ['/workspace/../etc/*', 'PATH_OUTSIDE_WORKSPACE', 'give "etc/*"'],
    ['../x', 'INVALID_PATH', 'above'],
    ['a/../../x', 'INVALID_PATH', 'above'],
    ['~/src/**', 'INVALID_PATH', 'give "src/**"'],
    ['a\0b', 'INVALID_PATH', 'NUL'],
    ['*/../x', 'INVALID_PATTERN', 'without `..`'],
    ['src/**/..', 'INVALID_PATTERN', 'without `..`'],
    ['{./src,lib}/**', 'INVALID_PATTERN', 'braces'],
    ['{src,/workspace/lib}/**', 'INVALID_PATTERN', 'braces'],
    ['{a,{b,../c}}', 'INVALID_PATTERN', 'braces'],
    ['{a,b/..}', 'INVALID_PATTERN', 'braces'],
    ['{a//b,c}', 'INVALID_PATTERN', 'braces'],
  ])('refuses %j with %s, and says what to give', (glob, code, text) => {
    expect(() => workspaceGlob(glob, { path: '' })).toThrow(expect.objectContaining({ code, message: expect.stringContaining(text) }));
  });

  it('takes an absolute glob when it may match files in the path', () => {
    for (const glob of ['/workspace/src/**', '/workspace/src/a/*.py', '/workspace/**', '/workspace/*/x', '/workspace/src/{a,b}'])
      expect(workspaceGlob(glob, { path: 'src' })).toMatchObject({ glob_of: 'root' });
  });

  it('refuses an absolute glob when it only matches files elsewhere', () => {
    for (const [glob, path] of [
      ['/workspace/lib/**', 'src'],
      ['/workspace/a.py', 'src'],
      ['/workspace/src/b/**', 'src/a'],
    ] as const)
      expect(() => workspaceGlob(glob, { path })).toThrow(expect.objectContaining({ code: 'INVALID_PATTERN' }));
  });
});
