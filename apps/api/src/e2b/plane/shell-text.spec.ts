import { isInteractiveShell, shellText } from './shell-text';

describe('shellText', () => {
  it.each<[string, string[], string]>([
    ['/bin/bash', ['-l', '-c', 'echo "a b" | wc'], 'echo "a b" | wc'],
    ['bash', ['-c', ''], ''],
    ['/usr/bin/bash', ['-lc', 'ls'], 'ls'],
    ['sh', ['-c', '-l'], '-l'],
    ['/bin/bash', ['-c', 'echo $1', 'name'], "/bin/bash -c 'echo $1' name"],
    ['/bin/bash', ['-c'], '/bin/bash -c'],
    ['/bin/bash', ['script.sh'], '/bin/bash script.sh'],
    ['/bin/bash', ['-l', 'script.sh'], '/bin/bash -l script.sh'],
    ['/bin/bash', ['-c', '-c', 'ls'], '/bin/bash -c -c ls'],
    ['python3', ['-c', "print('a b')"], `python3 -c 'print('\\''a b'\\'')'`],
    ['/opt/my tool', ['', '$HOME', '*', 'a;b', '\n', '#x'], `'/opt/my tool' '' '$HOME' '*' 'a;b' '\n' '#x'`],
    ['ls', [], 'ls'],
  ])('of %s %j is the command that says the same', (cmd, args, text) => {
    expect(shellText({ cmd, args })).toBe(text);
  });

  it('knows the shell of a terminal', () => {
    expect(isInteractiveShell({ cmd: '/bin/bash', args: ['-i', '-l'] })).toBe(true);
    expect(isInteractiveShell({ cmd: 'sh' })).toBe(true);
    expect(isInteractiveShell({ cmd: '/bin/bash', args: ['-l', '-c', 'ls'] })).toBe(false);
    expect(isInteractiveShell({ cmd: 'htop', args: [] })).toBe(false);
  });
});
