import { workspaceFile, workspacePath } from './workspace-path';

describe('workspacePath', () => {
  it.each([
    ['', ''],
    ['/', ''],
    ['//', ''],
    ['.', ''],
    ['/.', ''],
    ['/workspace', ''],
    ['/workspace/', ''],
    ['//workspace/.', ''],
    ['/workspace/..', ''],
    ['a/b', 'a/b'],
    ['a//b/', 'a/b'],
    ['./a/./b', 'a/b'],
    ['a/../b', 'b'],
    ['a/..', ''],
    ['/workspace/a', 'a'],
    ['/workspace//a//b/', 'a/b'],
    ['/./workspace/a/../b', 'b'],
    ['/workspace/../workspace/a', 'a'],
    ['/tmp/../workspace/a', 'a'],
    ['/workspace/workspace/a', 'workspace/a'],
    ['workspace/a', 'workspace/a'],
    ['tmp/a', 'tmp/a'],
    ['-rf', '-rf'],
    ['$(id)', '$(id)'],
    ['a\nb "\' c', 'a\nb "\' c'],
    ['...', '...'],
    [' ', ' '],
    [' /tmp', ' /tmp'],
    ['a\\..\\b', 'a\\..\\b'],
    ['./~/a', '~/a'],
    ['~a', '~a'],
    ['a/~', 'a/~'],
    ['$HOMER/a', '$HOMER/a'],
    ['file:a', 'file:a'],
  ])('takes %j for %j', (path, expected) => {
    expect(workspacePath(path)).toBe(expected);
  });

  it.each([
    ['/tmp/x', '"tmp/x"'],
    ['/hello.py', '"hello.py"'],
    ['/workspacefoo', '"workspacefoo"'],
    ['/workspacefoo/a', '"workspacefoo/a"'],
    ['/Workspace/a', '"Workspace/a"'],
    ['/workspace/../etc/passwd', '"etc/passwd"'],
    ['/workspace/a/../../tmp', '"tmp"'],
    ['/home/user/../a', '"home/a"'],
  ])('refuses %j as outside, and names %s instead', (path, relative) => {
    expect(() => workspacePath(path)).toThrow(
      expect.objectContaining({ code: 'PATH_OUTSIDE_WORKSPACE', message: expect.stringContaining(`give ${relative}.`) }),
    );
  });

  it('says what to do instead when a path is outside', () => {
    expect(() => workspacePath('/tmp/./x')).toThrow(
      'The path "/tmp/x" is outside /workspace, and file calls reach /workspace alone. For "/workspace/tmp/x" give "tmp/x". Only a command (execute) can reach "/tmp/x".',
    );
    expect(() => workspacePath('/tmp/**', 'glob')).toThrow('The glob "/tmp/**" is outside');
  });

  it.each([
    '..',
    '/..',
    '/../workspace/a',
    '/workspace/../../a',
    'a/../..',
    'a/../../b',
    '../workspace',
    'a\0b',
    'x'.repeat(4097),
    '€'.repeat(1366),
  ])('refuses %j', (path) => {
    expect(() => workspacePath(path)).toThrow(expect.objectContaining({ code: 'INVALID_PATH' }));
  });

  it.each([
    ['~/', '"."', '"./~/"'],
    ['~/a/b', '"a/b"', '"./~/a/b"'],
    ['$HOME/a', '"a"', '"./$HOME/a"'],
    ['${HOME}/a', '"a"', '"./${HOME}/a"'],
    ['$PWD/a', '"a"', '"./$PWD/a"'],
    ['${PWD}//a', '"a"', '"./${PWD}//a"'],
  ])('refuses %j, which a shell would replace, and names %s and %s instead', (path, home, literal) => {
    expect(() => workspacePath(path)).toThrow(
      expect.objectContaining({ code: 'INVALID_PATH', message: expect.stringContaining(`give ${home}, or ${literal} for`) }),
    );
  });

  it.each(['~', '$HOME', '${PWD}'])('takes %j for the name that a listing shows', (name) => {
    expect(workspacePath(name)).toBe(name);
  });

  it('refuses a URL, and names its path instead', () => {
    expect(() => workspacePath('file:///workspace/a')).toThrow(
      expect.objectContaining({ code: 'INVALID_PATH', message: expect.stringContaining('Give "/workspace/a".') }),
    );
  });

  it('takes a path when it has the most bytes, 4096', () => {
    expect(workspacePath('x'.repeat(4096))).toHaveLength(4096);
    expect(workspacePath(`/workspace/${'x'.repeat(4085)}`)).toHaveLength(4085);
  });

  it('shows only the beginning, and cuts no character, when a path is long', () => {
    expect(() => workspacePath(`/${'😀'.repeat(1000)}`)).toThrow(`"/${'😀'.repeat(99)}…"`);
  });
});

describe('workspaceFile', () => {
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

  it.each<[string, string, string | undefined]>([
    ['/workspace/./caf\xe9/x', 'caf\ufffd/x', 'Y2Fm6S94'],
    ['\xff/../\xe9', '\ufffd', '6Q=='],
    ['/workspace/\xff/..', '', undefined],
    ['d/a', 'd/a', undefined],
    ['\xc3\xa9', 'é', undefined],
    ['', '', undefined],
  ])('follows the rule when a path is bytes: %j', (given, path, path_base64) => {
    expect(workspaceFile(bytes(given))).toEqual(path_base64 === undefined ? { path } : { path, path_base64 });
  });

  it('counts bytes and no characters when a path is bytes', () => {
    expect(workspaceFile(Buffer.alloc(4096, 0xff)).path_base64).toHaveLength(5464);
    expect(() => workspaceFile(Buffer.alloc(4097, 0xff))).toThrow(expect.objectContaining({ code: 'INVALID_PATH' }));
  });

  it.each([
    ['/tmp/\xe9', 'PATH_OUTSIDE_WORKSPACE', 'give path_base64 "dG1wL+k=".'],
    ['/tmp/x', 'PATH_OUTSIDE_WORKSPACE', 'give "tmp/x".'],
    ['\xe9/../..', 'INVALID_PATH', 'leads above /workspace'],
    ['~/\xe9', 'INVALID_PATH', 'give path_base64 "6Q==", or path_base64 "Li9+L+k=" for'],
    ['a\0b', 'INVALID_PATH', 'NUL'],
  ])('refuses %j', (given, code, message) => {
    expect(() => workspaceFile(bytes(given))).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  it('takes a path as text when it is text', () => {
    expect(workspaceFile('/workspace/é')).toEqual({ path: 'é' });
  });
});
