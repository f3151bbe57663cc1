import { ErrorCode, SandboxError } from '@sandbox/errors';
import { createCommandPolicy, describePolicy, type CommandPolicy } from './command-policy';
import { ParsedCommand } from './parsed-command';

const guardRail = createCommandPolicy([]);

function refusal(
  policy: CommandPolicy,
  command: string,
  shell: 'sh' | 'bash' = 'sh',
  env?: Record<string, string>,
): SandboxError | undefined {
  try {
    policy.check(new ParsedCommand(command), shell, env);
    return undefined;
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

describe('the mode follows from the list', () => {
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
  ])('%j is %s', (list, mode) => {
    expect(createCommandPolicy(list).mode).toBe(mode);
  });

  it('says so in one line', () => {
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

  it('lets everything pass where it is off', () => {
    expect(refusal(createCommandPolicy(['*']), 'nc -l 80; if')).toBeUndefined();
  });

  it('allows what the first version of this service allowed', () => {
    const names = `ls cat echo pwd id whoami sh bash python python3 pip pip3 git curl wget mkdir cp mv rm grep find head tail sort uniq xargs env
      basename dirname test diff patch tar`;
    for (const name of names.split(/\s+/)) expect(guardRail.allowed).toContain(name);
    expect(guardRail.allowed).toEqual([...guardRail.allowed].sort());
  });
});

describe('a refusal', () => {
  it('names the word, where it stands, why, and the list', () => {
    const error = refusal(createCommandPolicy(['ls', 'cat', 'cat']), 'ls\ncat a | nc -l 80');
    expect(error?.code).toBe(ErrorCode.COMMAND_NOT_ALLOWED);
    expect(error?.status).toBe(400);
    expect(error?.message).toBe('`nc` at line 2, column 9 is not allowed: it is not on the list of allowed programs. Allowed: cat, ls.');
    expect(error?.extensions).toEqual({
      word: 'nc',
      position: { line: 2, column: 9, offset: 11 },
      reason: 'it is not on the list of allowed programs',
      allowed: ['cat', 'ls'],
    });
  });

  it('escapes control characters and cuts a long word', () => {
    const error = refusal(guardRail, `"\u001b[31m\u202e${'x'.repeat(500)}"`);
    expect(error?.message).toContain('\\u001b[31m\\u202e');
    expect(error?.message.length).toBeLessThan(300);
    expect(String(error?.extensions?.word)).toMatch(/x…$/);
  });

  it('points into the script from inside a here-document and escaped backquotes', () => {
    expect(refusal(guardRail, 'cat <<E\n$(nc)\nE')?.extensions?.position).toEqual({ line: 2, column: 3, offset: 10 });
    expect(refusal(guardRail, 'echo `ls \\`nc\\``')?.extensions?.position).toEqual({ line: 1, column: 6, offset: 5 });
  });

  it('meets a script that ends too soon', () => {
    expect(refusal(guardRail, 'if true')?.message).toMatch(
      /^The end of the command at line 1, column 8 is not allowed: it cannot be parsed/,
    );
  });
});

describe('guard-rail: a program that is not on the list is found', () => {
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
    'ssh host',
    'mount /dev/sda /mnt',
    'nmap localhost',
    'docker run x',
    "echo $(( '$(nc)' ))",
    "echo ${a['$(nc)']}",
    "a['$(nc)']=1",
    "a=(['$(nc)']=1)",
    "for ((i = '$(nc)'; ; )); do ls; done",
  ])('%j', (command) => {
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
  ])('what cannot be parsed is refused: %j', (command) => {
    expect(verdict(guardRail, command)).not.toBe('allowed');
  });
});

describe('a function', () => {
  it.each([
    'f() { ls; }; f',
    'f() { ls; }; f a b | cat; (f); echo "$(f)"; if f; then f; fi',
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
  ])('may be called once it is certainly there: %j', (command) => {
    expect(verdict(guardRail, command)).toBe('allowed');
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
    'f() { ls; }; nice f; env f; g',
  ])('and not where it may not be: %j', (command) => {
    expect(verdict(guardRail, command)).not.toBe('allowed');
  });
});
