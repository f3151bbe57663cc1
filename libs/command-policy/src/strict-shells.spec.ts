import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCommandPolicy } from './command-policy';
import { ParsedCommand } from './parsed-command';

/**
 * Runs, in real shells, scripts that a strict list allows. Asserts that the shells do not even look
 * for a program outside the list. The scripts are random mixtures of what shells read in odd ways.
 * They are the same on each run; another SEED makes others.
 */
const ALLOWED = ['echo', 'cat', 'true'];
const SEED = 20_260;
const COUNT = 120;

/**
 * Values for which bash would run `id`, if it evaluated them. Every script can reach them by $v,
 * $w, $1 and stdin.
 */
const HOSTILE = { v: 'a[$(id)]', w: '-v a[$(id)]', q: '-v', HOME: '-v' };

const INTERPRETERS = [
  { path: '/bin/dash', options: ['-c'], shell: 'sh' },
  { path: '/bin/bash', options: ['--posix', '-c'], shell: 'sh' },
  { path: '/bin/bash', options: ['-c'], shell: 'sh' },
  { path: '/bin/bash', options: ['-c'], shell: 'bash' },
  { path: '/bin/busybox', options: ['sh', '-c'], shell: 'sh' },
  { path: '/usr/bin/busybox', options: ['sh', '-c'], shell: 'sh' },
] as const;

type Pick = <T>(choices: readonly T[]) => T;

/** A xorshift32 generator, so that every machine tests the same scripts. */
function randomPick(seed: number): Pick {
  let state = seed;
  return (choices) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return choices[(state >>> 0) % choices.length] as (typeof choices)[number];
  };
}

const PIECES = [
  `id¦$(id)¦\`id\`¦'$(id)'¦echo¦cat¦true¦;¦\n¦&&¦||¦|¦&¦(¦)¦((¦))¦{ ¦; }¦$((¦}¦"¦'¦\`¦\\¦\\\n¦$¦$'¦$"¦#¦ # ¦! ¦[ ¦ ]`,
  `[[ ¦ ]]¦if ¦; then ¦; fi¦while ¦; do ¦; done¦for i in ¦case a in ¦a) ¦;; ¦esac¦f() { ¦f¦x=¦x=1¦$x¦$v¦"$v"¦$w¦$q¦$1`,
  `"$@"¦$*¦<<E\n¦\nE\n¦<<'E'\n¦<<<¦< ¦> ¦>/dev/null¦2>&1¦>&¦&>¦<(¦10>¦{fd}>¦=¦-v¦-eq¦test ¦printf ¦read x¦unset `,
  `export ¦local ¦set ¦eval ¦exec ¦command ¦. ¦trap ¦time ¦coproc ¦alias ¦a[¦]¦{a,b}¦*¦~¦./¦\r¦\t¦\${x:-¦\${x#¦@(¦!(`,
  `jobs -x ¦wait ¦PATH=¦RANDOM=¦IFS=¦%n¦-¦--¦E¦in¦do¦fi¦é¦\u00a0`,
].flatMap((line) => line.split('¦'));

function scripts(pick: Pick): () => string {
  const chance = (one: number): boolean => pick(Array.from({ length: one }, (_, index) => index)) === 0;

  function word(depth: number): string {
    const inner = depth > 0 ? list(depth - 1) : 'id';
    return pick([
      ...['a', 'b', '1', '-n', 'é', '*', '~', '{a,b}', '[!a]', 'a#b', '!', ']', 'a\\ id', 'a\\;id', "a\\'id"],
      ...[
        "'$(id)'",
        "'`id`'",
        "'a\nid'",
        '"a\\"id"',
        '"\\$(id)"',
        '"\\\\"',
        '"\n"',
        '"$x"',
        '"$v"',
        '"$@"',
        '$x',
        '$v',
        '$w',
        '$q',
        '$1',
        '$#',
        '$?',
      ],
      ...[`$(${inner})`, `"$(${inner})"`, '`echo a`', '`echo \\`id\\``', '`echo "a"`', `$((${arithmetic()}))`, "$'\\'; id #'"],
      ...['${x:-a}', '${x:-"a"}', "${x:-'}'}", '${x:=$v}', '${x#a}', '${x%`id`}', '${#v}', '${!v}', '${v@P}', '${x:-\\}}', '${x/a/b}'],
    ]);
  }

  function arithmetic(): string {
    const value = (): string => pick(['1', 'i', 'x', 'v', '$i', '$v', '$1', '$#', 'a[v]', "'1'", '$(id)', '(2)', 'i=1', 'i++', 'PATH=1']);
    return value() + pick(['', '', `+${value()}`, `<<${value()}`, `?${value()}:1`]);
  }

  function hereDocument(): string {
    const start =
      pick(['<<', '<<-']) + pick(['E', "'E'", '"E"', '\\E', "E'F'"]) + pick(['', ' b', '; echo c', ' | cat', ' "a', ' # "', ' $(echo']);
    return `cat ${start}\n${pick(['$(id)', '`id`', '$x', 'a\\', '\\$(id)', '"', "'", 'E ', "${x:-'$(id)'}", '$((v))'])}\n${pick(['E', '\tE', 'EF'])}\n`;
  }

  function simple(depth: number): string {
    const [one, two] = [word(depth), word(depth)];
    const builtin = pick([
      'export',
      'local',
      'readonly',
      'unset',
      'read',
      'set',
      'set --',
      'printf',
      'wait',
      'trap',
      'exec',
      'command',
      'kill',
      'cd',
      'eval',
    ]);
    return (
      pick([
        ...[
          `echo ${one}`,
          `echo ${one} ${two}`,
          `cat ${one}`,
          'true',
          ': ${x:=a}',
          `x=${one}`,
          `i=${one}`,
          `x=1 echo ${one}`,
          hereDocument(),
        ],
        ...[
          `[ ${one} ${two} ]`,
          `[ ${one} = ${two} ]`,
          `[ -f ${one} ]`,
          `[ ${one} -eq ${two} ]`,
          `test ${one}`,
          '[ $i -lt 3 ]',
          'i=$((i+1))',
        ],
        ...[
          `${builtin} ${one}`,
          `${builtin} ${one} ${two}`,
          `${builtin} x=${one}`,
          'f',
          'f a',
          '"f"',
          'id',
          '$x',
          'i\\d',
          '/bin/echo a',
          'unset -f f',
        ],
      ]) + pick(['', '', '', ' >/dev/null', ' 2>&1', ` >${one}`, ' 10>a', ' <&-', ' <<<a', ' &>a'])
    );
  }

  function command(depth: number): string {
    if (depth <= 0) return simple(0);
    const [one, two] = [list(depth - 1), list(depth - 1)];
    return pick([
      ...[
        `if ${one}; then ${two}; fi`,
        `while ${one}; do ${two}; break; done`,
        `for i in ${word(0)} 1; do ${one}; done`,
        `(${one})`,
        `( ${one} )`,
      ],
      ...[
        `{ ${one}; }`,
        `case ${word(0)} in a) ${one};; *) ${two} ;; esac`,
        `f() { ${one}; }`,
        `f()\n(${one})`,
        `! ${one}`,
        `((${arithmetic()}))`,
      ],
      ...[`[[ ${word(0)} == ${word(0)} ]]`, `function f { ${one}; }`, simple(depth), simple(depth), simple(depth)],
    ]);
  }

  function list(depth: number): string {
    let text = command(depth);
    while (chance(2)) text += pick(['; ', ' && ', ' || ', ' | ', '\n', ' & ', '; # "\n', ' |& ', " # '\n"]) + command(depth - 1);
    return text;
  }

  return () => {
    let text = chance(6) ? Array.from({ length: 6 }, () => pick(PIECES)).join(pick(['', ' '])) : list(pick([1, 2, 2]));
    while (chance(2)) {
      const at = pick([...text].map((_, index) => index)) ?? 0;
      text = text.slice(0, at) + pick([...PIECES, '']) + text.slice(at + pick([0, 1]));
    }
    return text;
  };
}

describe('a script that a strict list allows makes the shell look for no other program when it runs in', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strict-shells-'));
  const bin = join(folder, 'bin');
  const ran = join(folder, 'ran');
  const policy = createCommandPolicy(ALLOWED);
  const accepted: Record<'sh' | 'bash', string[]> = { sh: [], bash: [] };

  beforeAll(() => {
    mkdirSync(bin);
    for (const name of ['id', 'a', 'b', 'E']) writeFileSync(join(bin, name), `#!/bin/sh\necho ${name} >> ${ran}\n`, { mode: 0o755 });
    for (const name of ALLOWED) symlinkSync(join('/bin', name), join(bin, name));
    const next = scripts(randomPick(SEED));
    for (const shell of ['sh', 'bash'] as const) {
      while (accepted[shell].length < COUNT) {
        const script = next();
        if (script.length <= 400 && passes(script, shell)) accepted[shell].push(script);
      }
    }
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function passes(script: string, shell: 'sh' | 'bash'): boolean {
    try {
      policy.check(new ParsedCommand(script), shell, HOSTILE);
      return true;
    } catch {
      return false;
    }
  }

  /** @returns programs that ran, and names that the shell looked for in vain */
  function strangers(path: string, options: readonly string[], script: string): string[] {
    const work = mkdtempSync(join(folder, 'work-'));
    const { stderr } = spawnSync(path, [...options, script], {
      env: { ...HOSTILE, PATH: bin },
      cwd: work,
      input: `${HOSTILE.v}\n`,
      encoding: 'utf8',
      timeout: 5000,
      killSignal: 'SIGKILL',
    });
    const missing = [...stderr.matchAll(/(?:^|: )([^:\n]+): (?:command )?not found/g)].map((match) => match[1] ?? '');
    const found = existsSync(ran) ? ['a program outside the list'] : [];
    rmSync(ran, { force: true });
    return [...found, ...missing.filter((name) => !ALLOWED.includes(name))];
  }

  // On most systems, /bin and /usr/bin are one directory.
  const present = INTERPRETERS.filter(({ path }) => existsSync(path) && !(path.startsWith('/usr') && existsSync(path.slice(4))));

  it.each(present)(
    '$path $options, asked for as $shell',
    ({ path, options, shell }) => {
      for (const script of accepted[shell])
        expect({ script, strangers: strangers(path, options, script) }).toEqual({ script, strangers: [] });
    },
    120_000,
  );

  it('the test itself finds a program outside the list when a script runs one', () => {
    const [{ path, options }] = present as [(typeof INTERPRETERS)[number]];
    expect(strangers(path, options, 'id')).toEqual(['a program outside the list']);
    expect(strangers(path, options, 'echo $(stranger)')).toEqual(['stranger']);
  });
});
