import { ErrorCode, SandboxError } from '@sandbox/errors';
import { createCommandPolicy, describePolicy, type CommandPolicy } from './command-policy';
import { LEFT_OUT_PROGRAMS } from './left-out-programs';
import { ParsedCommand } from './parsed-command';

const guardRail = createCommandPolicy([]);

/** Of a session that has no programs of its own. */
function refusal(
  policy: CommandPolicy,
  command: string,
  shell: 'sh' | 'bash' = 'sh',
  env?: Record<string, string>,
): SandboxError | undefined {
  try {
    return policy.check(new ParsedCommand(command), shell, env)?.refusal(0);
  } catch (error) {
    expect(error).toBeInstanceOf(SandboxError);
    return error as SandboxError;
  }
}

/** `word: reason`, or 'allowed'. */
function verdict(policy: CommandPolicy, command: string, shell: 'sh' | 'bash' = 'sh'): string {
  const error = refusal(policy, command, shell);
  return error ? `${String(error.extensions?.word)}: ${String(error.extensions?.reason)}` : 'allowed';
}

describe('createCommandPolicy', () => {
  it.each([
    [[], 'guard-rail'],
    [['*'], 'off'],
    [['ls', '*'], 'off'],
    [['ls', 'cat', 'echo', 'grep', 'head', 'sort', 'curses'], 'strict'],
    [['ls', 'python3'], 'guard-rail'],
    [['ls', 'python3.12'], 'guard-rail'],
    [['ls', 'gcc-12'], 'guard-rail'],
    [['ls', 'x86_64-linux-gnu-gcc'], 'guard-rail'],
    [['ls', 'env'], 'guard-rail'],
    [['ls', 'xargs'], 'guard-rail'],
    [['ls', 'find'], 'guard-rail'],
    [['ls', 'awk'], 'guard-rail'],
    [['ls', 'sed'], 'guard-rail'],
    [['ls', 'tar'], 'guard-rail'],
    [['ls', 'make'], 'guard-rail'],
    [['ls', 'git'], 'guard-rail'],
    [['ls', '/usr/bin/env'], 'guard-rail'],
  ])('derives from the list %j that the policy is %s', (list, mode) => {
    expect(createCommandPolicy(list).mode).toBe(mode);
  });

  it('describes the policy in one line, also when the list is long', () => {
    expect(describePolicy(guardRail)).toMatch(
      /guard-rail, \d+ programs allowed, some of which can run others \(sh, bash, .*and \d+ more\)/,
    );
    expect(describePolicy(createCommandPolicy(['ls', 'env']))).toContain('can run others (env)');
    expect(describePolicy(createCommandPolicy(['ls']))).toContain('strict, 1 program allowed');
    expect(describePolicy(createCommandPolicy(['*']))).toContain('off');
    for (const list of [[], ['ls'], ['*']]) {
      expect(describePolicy(createCommandPolicy(list))).toMatch(/The list is policy; the container is the boundary\.$/);
      expect(describePolicy(createCommandPolicy(list))).not.toContain('\n');
    }
  });

  it('lets everything pass when the policy is off', () => {
    expect(refusal(createCommandPolicy(['*']), 'nc -l 80; if')).toBeUndefined();
  });

  it('leaves a program out for one reason only, and never when it is allowed', () => {
    const leftOut = Object.values(LEFT_OUT_PROGRAMS).flatMap((names) => names.split(/\s+/));
    expect(leftOut.filter((name) => guardRail.allowed.includes(name))).toEqual([]);
    expect(leftOut.filter((name, index) => leftOut.indexOf(name) !== index)).toEqual([]);
  });

  it('allows everyday programs when the list is the default one', () => {
    const names = `ls cat echo pwd id whoami sh bash python python3 pip pip3 git curl wget mkdir cp mv rm grep find head tail sort uniq xargs env
      basename dirname test diff patch tar`;
    for (const name of names.split(/\s+/)) expect(guardRail.allowed).toContain(name);
    expect(guardRail.allowed).toEqual([...guardRail.allowed].sort());
  });
});

describe('a refusal by the policy', () => {
  it('names the word, its place, the reason and the list when a program is not allowed', () => {
    const error = refusal(createCommandPolicy(['ls', 'cat', 'cat']), 'ls\ncat a | nc -l 80');
    expect(error?.code).toBe(ErrorCode.COMMAND_NOT_ALLOWED);
    expect(error?.status).toBe(400);
    expect(error?.message).toBe('`nc` at line 2, column 9 is not allowed: it is not on the list of allowed programs. Allowed: cat, ls.');
    expect(error?.extensions).toEqual({
      word: 'nc',
      position: { line: 2, column: 9, offset: 11 },
      reason: 'it is not on the list of allowed programs',
      similar: [],
      allowed: ['cat', 'ls'],
    });
  });

  it('has the allowed programs with a similar name when there are some', () => {
    expect(refusal(createCommandPolicy(['cat', 'ls', 'cut']), 'cot a')?.extensions?.similar).toEqual(['cat', 'cut']);
    expect(refusal(guardRail, 'echo; pyton3 a.py')?.extensions?.similar).toEqual(expect.arrayContaining(['python3']));
  });

  it('says what to do instead, or why a program is left out, when the policy is a guard-rail', () => {
    const reason = (policy: CommandPolicy, command: string): unknown => refusal(policy, command)?.extensions?.reason;
    expect(reason(guardRail, 'mycli')).toBe('it is not on the list of allowed programs; a program of your own runs by its path, as ./NAME');
    expect(reason(guardRail, '/usr/bin/nc')).toBe('it is not on the list of allowed programs');
    expect(reason(guardRail, 'sudo ls')).toBe('it acts as another user, and a sandbox has one');
    expect(reason(guardRail, '/usr/sbin/useradd x')).toBe('it changes users and groups, which are part of the read-only image');
    expect(reason(createCommandPolicy(['ls', 'env']), 'sudo ls')).toMatch(/^it is not on the list/);
  });

  it('escapes control characters and cuts the word when it is long', () => {
    const error = refusal(guardRail, `"\u001b[31m\u202e${'x'.repeat(500)}"`);
    expect(error?.message).toContain('\\u001b[31m\\u202e');
    expect(error?.message.length).toBeLessThan(300);
    expect(String(error?.extensions?.word)).toMatch(/x…$/);
  });

  it('points into the script when the word is in a here-document or in escaped backquotes', () => {
    expect(refusal(guardRail, 'cat <<E\n$(nc)\nE')?.extensions?.position).toEqual({ line: 2, column: 3, offset: 10 });
    expect(refusal(guardRail, 'echo `ls \\`nc\\``')?.extensions?.position).toEqual({ line: 1, column: 6, offset: 5 });
  });

  it('says that it is at the end of the command when a script ends too soon', () => {
    expect(refusal(guardRail, 'if true')?.message).toMatch(
      /^The end of the command at line 1, column 8 is not allowed: it cannot be parsed/,
    );
  });
});

describe('a guard-rail', () => {
  it.each([
    'nc -l 80',
    'ls; nc',
    'ls && nc',
    'ls || nc',
    'ls | nc',
    'ls |& nc',
    'ls & nc',
    'ls\nnc',
    '! nc',
    '(nc)',
    '{ nc; }',
    '( (nc) )',
    'echo $(nc)',
    'echo "$(nc)"',
    'echo `nc`',
    'echo "`nc`"',
    'echo `echo \\`nc\\``',
    'echo "$(echo "$(nc)")"',
    'cat <(nc)',
    'tee >(nc) < a',
    'if nc; then ls; fi',
    'if true; then nc; fi',
    'if true; then ls; elif nc; then ls; fi',
    'if true; then ls; else nc; fi',
    'while nc; do ls; done',
    'until true; do nc; done',
    'for i in a b; do nc; done',
    'for i in $(nc); do ls; done',
    'for ((i = 0; i < $(nc); i++)); do ls; done',
    'select x in $(nc); do ls; done',
    'case $(nc) in a) ;; esac',
    'case a in $(nc)) ;; esac',
    'case a in a) nc ;; esac',
    '[[ $(nc) ]]',
    '[[ a =~ $(nc) ]]',
    '(( $(nc) ))',
    'echo $(( 1 + $(nc) ))',
    'echo $[ $(nc) ]',
    'echo ${x:-$(nc)}',
    'echo "${x:-`nc`}"',
    'echo ${x/a/$(nc)}',
    'echo ${a[$(nc)]}',
    'echo ${x:$(nc):1}',
    'x=$(nc)',
    'x=$(nc) ls',
    'a=(1 $(nc))',
    'a[$(nc)]=1',
    'x=1 nc',
    'export x=$(nc)',
    'declare -a x=($(nc))',
    'ls > $(nc)',
    'ls 2>&1 > "$(nc)"',
    '>/dev/null nc',
    '{ ls; } > $(nc)',
    'cat <<E\n$(nc)\nE',
    'cat <<-E\n\t`nc`\n\tE',
    'cat <<E\n${x:-$(nc)}\nE',
    "cat <<E\n${x:-'$(nc)'}\nE",
    'cat <<< $(nc)',
    'cat <<< "`nc`"',
    'time nc',
    'time -p nc',
    'coproc nc',
    'coproc x { nc; }',
    'command nc',
    'command -p nc',
    'command -- nc',
    'exec nc',
    'exec -a ls nc',
    'exec -cl nc',
    'builtin command nc',
    'jobs -x nc',
    'command exec command nc',
    '"nc"',
    "'nc'",
    "n'c'",
    'n""c',
    '\\nc',
    'n\\c',
    'n\\\nc',
    "$'nc'",
    "$'\\x6ec'",
    '$"nc"',
    '/usr/bin/nc',
    '/bin//nc',
    '../usr/bin/nc',
    '../../../bin/nc',
    'f() { nc; }',
    'f() { nc; }; f',
    'function f { nc; }',
    'f() ( nc )',
    'f() { ls; } > $(nc)',
    'alias x=ls; nc',
    'ls # comment\nnc',
    '{nc,-l}',
    'sudo ls',
    'telnet host',
    'mkfs.ext4 /dev/sda',
    'export x=1; nc',
    'f() { ls; }; nc',
    'f() { ls; }; command f',
    'f() { ls; }; exec f',
    'nc() { ls; }; /usr/bin/nc',
    'nc() { ls; }; ../bin/nc',
    'alias ll=ls; command ll',
    'git add a && nc',
    'echo PATH=x; nc',
    'PATHS=x; nc',
    '/tmp/../usr/bin/nc',
    '/workspace/../bin/nc',
    'a/../../usr/bin/nc',
    '/tmpx/a',
    '/workspace',
    '/opt/nc',
    'nc-12',
    'killall5',
    '/usr/sbin/killall5',
    'nmap localhost',
    'docker run x',
    "echo $(( '$(nc)' ))",
    "echo ${a['$(nc)']}",
    "a['$(nc)']=1",
    "a=(['$(nc)']=1)",
    "for ((i = '$(nc)'; ; )); do ls; done",
  ])('refuses a command when it names a program that is not on the list: %j', (command) => {
    expect(verdict(guardRail, command, 'bash')).not.toBe('allowed');
    expect(verdict(guardRail, command, 'sh')).not.toBe('allowed');
  });

  it.each([
    'if',
    'echo "a',
    "echo 'a",
    'echo $(',
    'echo `',
    '(ls',
    '{ ls',
    'ls )',
    'ls ;;',
    'for',
    'case a',
    'ls &&',
    '| ls',
    'f() ls',
    'ls\0',
    '('.repeat(32000),
  ])('refuses a command when it cannot be parsed: %j', (command) => {
    expect(verdict(guardRail, command)).not.toBe('allowed');
  });
});

describe('a command policy, for names that the workspace may define,', () => {
  it.each([
    './run.sh',
    '/workspace/run.sh',
    '/workspace/v/bin/mycli --help',
    '/tmp/a.sh',
    '/dev/shm/a',
    '~/.local/bin/mycli',
    '$HOME/.local/bin/mycli',
    '"$PWD/run.sh"',
    '../run.sh',
    '../venv/bin/mycli',
    'node_modules/.bin/mycli',
    'command ./run.sh; exec /workspace/run.sh',
    '. v/bin/activate && mycli',
    'source v/bin/activate; mycli; command mycli',
    'mycli; . ./env.sh',
    'command . ./env.sh && mycli',
    'PATH=$PWD/v/bin:$PATH mycli',
    'PATH=$PWD/v/bin:$PATH; mycli',
    'export PATH="$PWD/v/bin:$PATH" && mycli',
    'if true; then PATH+=:v/bin; fi; mycli',
    'declare -x PATH=v/bin; exec mycli',
    ': ${PATH:=v/bin}; mycli',
    'read -r PATH < f; mycli',
    'for PATH in a b; do mycli; done',
    "alias ll='ls -l'\nll",
    "alias ll='ls -l' la=ls; la; ll",
    'eval "$(cat f)"; mycli',
    'eval "mycli() { ls; }"; mycli',
    'hash -p v/bin/mycli mycli; mycli',
    'if true; then f() { ls; }; fi; f',
    'true && f() { ls; }; f',
    'true || f() { ls; } && f',
    'for i in a; do f() { ls; }; done; f',
    'case a in a) f() { ls; } ;; esac; f',
    '(f() { ls; }); f',
    'f() { ls; } | cat; f',
    'f; f() { ls; }',
    'f() { ls; }; unset -f f; f',
    'f() { g() { ls; }; }; f; g',
    'main() { helper; }; main; helper() { ls; }',
    'f() { ls; }; nice f; f',
    'pip install ./app && mycli',
    'pip3.11 install app.whl; mycli',
    'python -m pip install -e . && mycli',
    'npm install -g ./app && mycli',
    'npm i -g . && mycli',
    'npm link && mycli',
    'cargo install --path . && mycli',
    'go install ./... && mycli',
    'make install && mycli',
    'cmake --install build; mycli',
    'ln -s $PWD/a.py ~/.local/bin/mycli && mycli',
    'cp a /workspace/.local/bin/ && mycli',
    'gcc-12 a.c; python3.13 a.py; x86_64-linux-gnu-gcc-12 a.c; perl5.36.0 a.pl; pip3.11 list',
    '/usr/bin/python3.11 a.py',
  ])('lets a command pass when the list is a guard-rail: %j', (command) => {
    expect(verdict(guardRail, command, 'bash')).toBe('allowed');
    expect(verdict(guardRail, command, 'sh')).toBe('allowed');
  });

  it('lets any name pass when the request sets PATH', () => {
    expect(refusal(guardRail, 'mycli', 'sh', { PATH: '/workspace/v/bin:/usr/bin' })).toBeUndefined();
    expect(refusal(guardRail, 'mycli', 'sh', { PATHS: '/workspace/v/bin' })?.extensions?.word).toBe('mycli');
  });

  it('refuses these commands when the list is strict', () => {
    const strict = createCommandPolicy(['ls', 'cat']);
    const commands = [
      'mycli',
      './ls',
      '/workspace/ls',
      '/tmp/ls',
      '. f; mycli',
      'PATH=v/bin ls',
      "alias ll='ls -l'\nll",
      'true && f() { ls; }; f',
      'ls-12',
    ];
    for (const command of commands) {
      for (const shell of ['sh', 'bash'] as const) expect([command, verdict(strict, command, shell)]).not.toEqual([command, 'allowed']);
    }
  });
});

describe('a guard-rail, for plain names that are not on the list,', () => {
  const unlisted = (command: string, policy = guardRail, env?: Record<string, string>) =>
    policy.check(new ParsedCommand(command), 'sh', env);

  it.each<[command: string, names: string[]]>([
    ['mycli', ['mycli']],
    ['cd a && mycli b | other; mycli c', ['mycli', 'other']],
    ['echo $(mycli); f() { other; }; f', ['mycli', 'other']],
    ['command mycli; exec other', ['mycli', 'other']],
    ['f() { ls; }; command f', ['f']],
    ['ls; "" || ls', ['']],
  ])('leaves the names to the sandbox when nothing else is wrong: %j', (command, names) => {
    expect(unlisted(command)?.names).toEqual(names);
  });

  it.each(['ls', 'f() { ls; }; f', '. v/bin/activate && mycli', '', './run.sh'])(
    'leaves no name to the sandbox when the command is %j',
    (command) => {
      expect(unlisted(command)).toBeUndefined();
    },
  );

  it.each(['mycli; sudo ls', 'mycli; /usr/bin/nc', 'mycli; {a,b}', 'mycli; (', 'mkfs.ext4 a'])(
    'refuses a command at once when something else in it is not allowed: %j',
    (command) => {
      expect(() => unlisted(command)).toThrow(/is not allowed/);
    },
  );

  it('names each word, and its first place, when the sandbox does not have it', () => {
    const programs = unlisted('ls; mycli a\nother; mycli')!;
    expect(programs.refusal(0).extensions).toMatchObject({ word: 'mycli', position: { line: 1, column: 5, offset: 4 } });
    expect(programs.refusal(1).extensions).toMatchObject({ word: 'other', position: { line: 2, column: 1, offset: 12 } });
    expect(programs.refusal(1).code).toBe(ErrorCode.COMMAND_NOT_ALLOWED);
  });

  it('leaves the names to the sandbox when an operator has given the list', () => {
    expect(unlisted('mycli; rm a', createCommandPolicy(['ls', 'env']))?.names).toEqual(['mycli', 'rm']);
  });
});

describe('a strict list', () => {
  const strict = createCommandPolicy(['ls', 'cat']);

  it.each([
    'f() { ls; }; f',
    'f() { ls; }; f a b | cat; ( f ); echo "$(f)"; if f; then f; fi',
    'function f { ls; }; f',
    'f() { f; }; f',
    'main() { helper; }; helper() { ls; }; main',
    'f() { g() { ls; }; g; }; f',
    'f() { ls; } && f',
    '{ f() { ls; }; }; f',
    '(f() { ls; }; f)',
    'if true; then f() { ls; }; f; fi',
    'f() { ls; }; f; unset -f f',
    'f() { ls; }; unset -f f; f() { ls; }; f',
    'f() { ls; }; for i in a b; do f "$i"; done',
    'even() { odd; }; odd() { even; }; even',
  ])('lets a function be called when it is certainly defined: %j', (command) => {
    expect(verdict(strict, command, 'bash')).toBe('allowed');
  });

  it.each([
    'f; f() { ls; }',
    'if true; then f() { ls; }; fi; f',
    'true && f() { ls; }; f',
    'true || f() { ls; }; f',
    'true || f() { ls; } && f',
    'for i in a; do f() { ls; }; done; f',
    'while true; do f() { ls; }; done; f',
    'case a in a) f() { ls; } ;; esac; f',
    '(f() { ls; }); f',
    'f() { ls; } | cat; f',
    'f() { ls; } & f',
    '$(f() { ls; }); f',
    'f() { ls; }; unset -f f; f',
    'f() { ls; }; unset f; f',
    'f() { ls; }; command unset -f f; f',
    'f() { ls; }; (unset -f f); f',
    'f() { unset -f f; f; }; f',
    'f() { ls; }; u() { unset -f f; }; u; f',
    'f() { ls; }; while true; do f; unset -f f; done',
    'f() { g() { ls; }; }; f; g',
    'main() { helper; }; main; helper() { ls; }',
    'main() { helper; }; if true; then helper() { ls; }; fi; main',
    'main() { helper; }; helper() { ls; }; unset -f helper; main',
    'ls() { helper; }; ls; helper() { :; }',
    'f() { :; }; while true; do f; f() { h; }; done; h() { :; }',
    'f() { ls; }; command f',
    'f() { ls; }; exec f',
    'nc() { ls; }; /usr/bin/nc',
    'nc() { ls; }; ../bin/nc',
  ])('refuses the call of a function when it may not be defined: %j', (command) => {
    expect(verdict(strict, command, 'bash')).not.toBe('allowed');
  });
});
