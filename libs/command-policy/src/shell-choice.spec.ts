import type { SandboxError } from '@sandbox/errors';
import { createCommandPolicy } from './command-policy';
import { chooseShell, type WantedShell } from './shell-choice';

const POLICIES = {
  off: createCommandPolicy(['*']),
  'guard-rail': createCommandPolicy([]),
  strict: createCommandPolicy(['echo', 'ls', 'cat']),
};

/** @returns the chosen shell and the names that are not listed, or the code of the refusal */
function chosen(policy: keyof typeof POLICIES, command: string, wanted: WantedShell = 'auto', env: Record<string, string> = {}): string {
  try {
    const { shell, unlisted } = chooseShell(command, wanted, POLICIES[policy], env);
    return [shell, ...(unlisted?.names ?? [])].join(' ');
  } catch (error) {
    return (error as SandboxError).code;
  }
}

describe('chooseShell', () => {
  it.each([
    ['off', 'ls -la', 'sh'],
    ['off', 'ls {a,b}', 'bash-or-sh'],
    ['off', 'if', 'bash-or-sh'],
    ['off', 'nc -l 80', 'sh'],
    ['guard-rail', 'ls -la', 'sh'],
    ['guard-rail', 'ls {a,b}', 'bash-or-sh'],
    ['guard-rail', 'if', 'COMMAND_NOT_ALLOWED'],
    ['guard-rail', 'nc -l {80,81}', 'bash-or-sh nc'],
    ['guard-rail', 'nc -l 80', 'sh nc'],
    ['guard-rail', 'sudo ls {a,b}', 'COMMAND_NOT_ALLOWED'],
    ['strict', 'ls -la', 'sh'],
  ] as const)('with a policy that is %s gives %j to %s', (policy, command, shell) => {
    expect(chosen(policy, command)).toBe(shell);
  });

  it.each(['sh', 'bash'] as const)('gives %s when the caller asks for it, whatever the command is', (shell) => {
    for (const policy of ['off', 'guard-rail'] as const) {
      for (const command of ['ls', 'ls {a,b}', '[[ a ]]']) expect(chosen(policy, command, shell)).toBe(shell);
    }
  });

  describe('under a strict policy', () => {
    it.each(['echo "$x"', 'echo "a\\nb"', ': > f', 'exit 300', '[ -d a ] && ls', 'trap "" TERM'].map((command) => [command]))(
      'lets either shell run %j, which every shell reads alike',
      (command) => {
        expect(chosen('strict', command, 'sh')).toBe('sh');
        expect(['sh', 'bash-or-sh']).toContain(chosen('strict', command));
      },
    );

    it.each([['ls {a,b}'], ['[[ -f a ]]'], ['a=(1 2); ls "${a[@]}"'], ['cat <<< x'], ['ls &> f'], ["echo $'\\'; id #'"]])(
      'lets bash alone run %j, which sh may read otherwise',
      (command) => {
        expect(chosen('strict', command, 'sh')).toBe('COMMAND_NOT_ALLOWED');
        expect(chosen('strict', command)).toBe('bash');
      },
    );

    it.each([['id'], ['id {a,b}'], ['((id))'], ['eval "$x" {a,b}'], ['source f'], ['if'], ['$x']])(
      'refuses %j to every shell',
      (command) => {
        for (const shell of ['auto', 'sh', 'bash'] as const) expect(chosen('strict', command, shell)).toBe('COMMAND_NOT_ALLOWED');
      },
    );

    it.each(['BASH_ENV', 'ENV', 'PATH', 'LD_PRELOAD'])('refuses a command with %s set, in every shell', (name) => {
      for (const command of ['ls', 'ls {a,b}']) expect(chosen('strict', command, 'auto', { [name]: 'x' })).toBe('COMMAND_NOT_ALLOWED');
    });
  });
});
