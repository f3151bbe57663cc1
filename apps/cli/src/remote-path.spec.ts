import { commandLine, remotePath } from './remote-path';

it.each([
  ['demo:a/b', { session: 'demo', path: 'a/b' }],
  [':a', { session: undefined, path: 'a' }],
  [':', { session: undefined, path: '' }],
  ['my session:/workspace/a:b', { session: 'my session', path: '/workspace/a:b' }],
  ['./a:b', undefined],
  ['/a:b', undefined],
  ['a', undefined],
  ['a/b:c', undefined],
])('takes %j for a path in a sandbox, or not', (text, expected) => {
  expect(remotePath(text)).toEqual(expected);
});

it.each([
  [['echo $HOME; ls'], 'echo $HOME; ls'],
  [['ls', '-la', 'a b'], "ls -la 'a b'"],
  [['echo', "it's", '$HOME', ''], "echo 'it'\\''s' '$HOME' ''"],
])('makes %j one command line', (words, expected) => {
  expect(commandLine(words)).toBe(expected);
});
