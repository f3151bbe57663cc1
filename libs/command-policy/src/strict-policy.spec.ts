import type { SandboxError } from '@sandbox/errors';
import { createCommandPolicy } from './command-policy';
import { ParsedCommand } from './parsed-command';

const strict = createCommandPolicy(['echo', 'cat', 'ls', 'grep', 'sort', 'split', 'install', 'head', 'mkdir']);

function allows(command: string, shell: 'sh' | 'bash' = 'sh', env?: Record<string, string>): boolean {
  try {
    strict.check(new ParsedCommand(command), shell, env);
    return true;
  } catch (error) {
    expect((error as SandboxError).code).toBe('COMMAND_NOT_ALLOWED');
    return false;
  }
}

const PORTABLE = [
  'ls -la | grep -v a | head -5 && echo done || echo failed',
  'cat < a > b 2>&1; cat a 2>/dev/null',
  'for f in *.txt; do echo "$f"; done',
  'for i in 1 2 3; do echo $((i * 2)); done',
  'i=0; while [ $i -lt 5 ]; do i=$((i + 1)); echo "$i"; done',
  'if [ -f "$x" ]; then cat "$x"; else echo none; fi',
  '[ ! -d a ] && mkdir a',
  '[ "$a" = "$b" ] || [ -z "$c" ]',
  'case "$x" in a|b) echo 1 ;; *) echo 2 ;; esac',
  'f() { echo "$1"; }; f a',
  '(ls; ls) | sort',
  '{ ls; echo; } > out',
  'echo "$(ls | head -1)" `ls a`',
  'echo "${x:-default}" "${x%.txt}" "${#x}" "$@" "$#"',
  'cat <<E\n$x $(ls)\nE',
  "cat <<'E'\n$(id) `id`\nE\necho after",
  'cat <<A; cat <<B\n1\nA\n2\nB',
  'echo \'$(id)\' "\\$(id)" \\`id\\`',
  'ls \\\n  -l',
  'x=1 y="$x" ls; export z="$x"',
  'read -r line; echo "$line"',
  'printf "%s\\n" "$x"; set -eu; cd a; pwd; true; :; unset x; exit 0',
  'command -v ls; command ls; exec ls',
  '/bin/ls; /usr/local/bin/ls; "ls"; \\ls; l\'s\'',
  'trap - INT; trap "" TERM; umask 022; wait',
  'sort -k2 -n a; sort -- "$x"',
  'echo héllo 🎉 # a comment',
  'IFS=, read -r a b',
  'ls & wait $!',
];

const BASH = [
  '[[ -f a && $x == *.txt ]]',
  'for ((i = 0; i < 3; i++)); do echo $i; done',
  'i=1; ((i++)); [[ $i -gt 1 ]]',
  'a=(1 2 3); echo "${a[@]}" "${#a[@]}" "${a[0]}"',
  'cat <<< "$x"',
  'cat <(ls) <(ls)',
  "echo $'a\\tb' {a,b}",
  'ls &> out; ls |& cat',
  'function f { ls; }; f',
  'echo "${x^^}" "${x//a/b}" "${x:1:2}"',
  'time ls',
];

const NEVER = [
  [
    'a command word that is not literal',
    ['$x', '"$x"', '${x}', '$(echo ls)', '`echo ls`', 'l*', '/bin/l?', '[l]s', '~/ls', 'l$x', '${x:-ls}'],
  ],
  ['text run as commands', ['eval ls', '. ./a', 'source a', 'alias ls=id', 'trap ls EXIT', 'command eval ls', 'trap "$x" INT']],
  [
    'a path',
    ['./ls', 'bin/ls', '/workspace/ls', '/tmp/ls', '/usr/bin/../../workspace/ls', '/bin/./ls', '../bin/ls', '/bin/id', '/bin/kill 1'],
  ],
  [
    'a variable that decides what runs',
    [
      'PATH=/workspace ls',
      'PATH=/workspace',
      'export PATH=/workspace',
      'export PATH',
      'readonly PATH=a',
      'local PATH=a',
      'unset PATH',
      'read PATH',
      'read -r a PATH',
      'for PATH in a; do ls; done',
      ': ${PATH:=a}',
      ': ${PATH=a}',
      'echo $((PATH = 1))',
      'ENV=a ls',
      'BASH_ENV=a ls',
      'LD_PRELOAD=a ls',
      'LD_LIBRARY_PATH=a ls',
      'BASH_FUNC_ls=a ls',
      'PS4=a',
      'SHELLOPTS=a ls',
      'GCONV_PATH=. ls',
      'export $x',
      'export "$x"',
      'export "PATH=a"',
      'export a=$x',
      'local a=$x',
      'readonly a=$(ls)',
      'command export PATH=a',
    ],
  ],
  [
    'what bash runs out of a value',
    [
      "x='a[$(id)]'; echo $((x))",
      'echo $((x))',
      'echo $(($x + 1))',
      'echo $(($1))',
      'echo $((a[x]))',
      'read -r x; echo $((x))',
      'x=1; read -r x; echo $((x))',
      'x=$y; echo $((x))',
      'for x in "$@"; do echo $((x)); done',
      'for x in a 1; do echo $((x)); done',
      ': ${x:=a}; echo $((x))',
      'echo $((_))',
      'echo $(($(ls)))',
      'PWD=1; echo $((PWD))',
      "[ -v 'a[$(id)]' ]",
      '[ -v x ]',
      '[ $x ]',
      '[ $x = a ]',
      '[ "$x" "$y" ]',
      '[ "$@" ]',
      '[ "$x" = a -o "$y" = b ]',
      'test $x',
      "printf -v 'a[$(id)]' x",
      'printf "$x"',
      'printf $x a',
      "unset 'a[$(id)]'",
      'unset $x',
      "read 'a[$(id)]'",
      'read $x',
      'set $x',
      'set -k',
      'set -H',
      'hash -p /tmp/x ls',
      'getopts a x',
      'printf %n PATH',
      'printf -- "$x"',
      'printf ~ a',
      '[ ~ a ]',
      'jobs -x ls',
      'printf {-v,a} b',
      'echo >&"a[\\$(id)]"',
      'RANDOM=a',
      'OPTIND=1',
      'for SECONDS in a; do ls; done',
    ],
  ],
  [
    'what shells read differently',
    [
      '! ! ls',
      'ls\r',
      'ls \u0001',
      'ec\\\nho',
      'echo $\\\n(ls)',
      '((ls); ls)',
      'echo $((ls); ls)',
      'echo `echo \\`ls\\``',
      'echo "`echo "a"`"',
      'echo "${x:-\'}"; id; echo "\'}"',
      'echo "${x:-"a"}"',
      'echo ${x:-$(ls)}',
      'echo ${!x}',
      'echo ${x@P}',
      'echo $[1 + 1]',
      'a[0]=1',
      'ls 10>a',
      'ls {fd}>a',
      'ls >&a',
      'cat <<E"F"\na\nEF',
      'cat <<$x\na\n$x',
      'cat <<E\na',
      'cat <<E "a\nb"\nc\nE',
      'cat <<E\na\\\nE\nE',
      'select x in a; do ls; done',
      'coproc ls',
      'ls @(a|b)',
      'echo $"a"',
      'a-b() { ls; }; a-b',
      'cd() { ls; }',
      'command_not_found_handle() { ls; }',
      'exec -a x ls',
      'exec -- ls',
      'exec echo2',
      'exec continue',
    ],
  ],
] as const;

describe('a strict policy', () => {
  it.each(PORTABLE)('allows a command when all shells read it alike: %j', (command) => {
    expect(allows(command, 'sh')).toBe(true);
    expect(allows(command, 'bash')).toBe(true);
  });

  it.each(BASH)('allows a command in bash only when no other shell reads it: %j', (command) => {
    expect(allows(command, 'bash')).toBe(true);
    expect(allows(command, 'sh')).toBe(false);
  });

  it.each(['((id))', "echo $'\\'; id #'", 'time id', 'chdir a', 'let x=1', 'shopt -s extglob', 'pushd a'])(
    'refuses a command in sh when a shell may read it otherwise: %j',
    (command) => {
      expect(allows(command, 'sh')).toBe(false);
    },
  );

  describe.each(NEVER)('refuses %s', (_, commands) => {
    it.each(commands)('%j', (command) => {
      expect(allows(command, 'sh')).toBe(false);
      expect(allows(command, 'bash')).toBe(false);
    });
  });

  it('refuses the same variables when the request sets them', () => {
    expect(allows('ls', 'sh', { HOME: '/', LANG: 'C' })).toBe(true);
    for (const name of ['PATH', 'ENV', 'BASH_ENV', 'LD_PRELOAD', 'BASH_FUNC_ls%%', 'SHELLOPTS']) {
      expect(allows('ls', 'sh', { [name]: 'a' })).toBe(false);
    }
    expect(allows('x=1; echo $((x))', 'sh')).toBe(true);
    expect(allows('x=1; echo $((x))', 'sh', { x: 'a[$(id)]' })).toBe(false);
  });
});

describe.each([
  ['sort', '--compress-program', '--c'],
  ['split', '--filter', '--f'],
  ['install', '--strip-program', '--strip-p'],
])('a strict policy on %s, whose option %s runs another program', (program, option, short) => {
  it.each([
    `${option}=id a`,
    `${option} id a`,
    `-n ${option}=id a`,
    `a "${option}=id"`,
    `${short}=id a`,
    '"$x"',
    '$x a',
    '$(ls)',
    'a$x',
    '"a"$x',
    'a/$(ls)',
    '"a$@"',
  ])('refuses a call when it has or may have that option: %j', (args) => expect(allows(`${program} ${args}`)).toBe(false));

  it.each(['-n 5 a', 'a b', '-- "$x"', `-- ${option}=id`, 'dir/"$x"', '"a$x"', 'a*.[ch]', 'a$((1))'])(
    'allows a call when it cannot have that option: %j',
    (args) => expect(allows(`${program} ${args}`)).toBe(true),
  );
});

describe('a strict policy takes no more steps than a command is long when it holds', () => {
  // With more steps, these would take years.
  it.each([
    ['names in an operand', `echo \${x:-${'$aa'.repeat(60)}!}`],
    ['names in an operand that has no end', `echo \${x:-${'$aa'.repeat(5_000)}"}`],
  ])('%s', (_, command) => expect(allows(command, 'bash')).toBe(false));
});

describe('a strict policy refuses a variable when it chooses what an interpreter runs', () => {
  it.each(['PYTHONPATH', 'PERL5OPT', 'NODE_OPTIONS', 'RUBYOPT', 'JAVA_TOOL_OPTIONS', 'AWK'])('%s', (name) => {
    expect(allows(`${name}=/workspace/x ls`)).toBe(false);
    expect(allows('ls', 'sh', { [name]: 'x' })).toBe(false);
  });
});
