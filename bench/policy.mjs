/**
 * Measures what it costs to check a command and to choose its shell: for everyday commands, and for
 * the worst of 32,000 characters. Run it after `npm run build`. Its table is about this machine at
 * this moment.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { createCommandPolicy } = require('../dist/libs/command-policy/src/command-policy.js');
const { chooseShell, SHELLS } = require('../dist/libs/command-policy/src/shell-choice.js');

const LENGTH = 32_000;
const policies = [
  ['off', createCommandPolicy(['*'])],
  ['guard-rail', createCommandPolicy([])],
  ['strict', createCommandPolicy(['echo', 'cat', 'true', 'a', 'x'])],
];

const COMMON = [
  'true',
  'ls -la',
  'cd src && make -j4 2>&1 | tail -20',
  'for f in *.py; do python -m py_compile "$f" || echo "bad: $f"; done',
  "cat > main.py <<'EOF'\nprint('hello')\nEOF\npython main.py",
  'git add -A && git commit -m "work in progress" && git log --oneline | head -5',
  'find . -name "*.ts" -not -path "./node_modules/*" -exec grep -l TODO {} +',
];

/** Opened and closed as often as fits, or `depth` times again and again. */
const PAIRS = [
  ['(', ')'],
  ['{ ', ';}'],
  ['$(', ')'],
  ['"$(', ')"'],
  ['<(', ')'],
  ['`\\`', '\\``'],
  ['$((', '))'],
  ['((', '))'],
  ['$((1+(', '))'],
  ['"$((1+', '))"'],
  ['$(( $(', ') ))'],
  ['$[', ']'],
  ['${a:-', '}'],
  ['"${a:-', '}"'],
  ['${a[', ']}'],
  ['a[', ']'],
  ['${a:1:', '}'],
  ['${a/b/', '}'],
  ['${', '}'],
  ['a=(', ')'],
  ['x=(a $(', ')'],
  ['{a,', '}'],
  ['@(', ')'],
  ['!(', ')'],
  ['[[ ( ', ')'],
  ['[[ -n $(', ') ]]'],
  ['if x; then ', ';fi'],
  ['while x; do ', ';done'],
  ['for i in a; do ', ';done'],
  ['case a in a) ', ';;esac'],
  ['f() { ', ';}'],
  ['((1+$(', ')))'],
  ['for ((;;)); do ', ';done'],
  ['coproc { ', ';}'],
  ['"${a#', '}"'],
  ['${a:-"', '"}'],
  ['x | (', ')'],
  ['! (', ')'],
];

const REPEATED = [
  'a;',
  'a|',
  'a&&',
  'a&',
  'a\n',
  'a ',
  '\\',
  '\\\n',
  '"',
  "'",
  "$'",
  '$',
  '#',
  '?',
  '*',
  '[',
  '[a',
  '[[:a',
  '<<E ',
  '<<E\n',
  'cat<<E\nE\n',
  '<<<',
  '! ',
  'time ',
  'coproc ',
  'x=',
  '2>&1 ',
  '{a}>b ',
  '$a',
  '${a}',
  '"$a"',
  '$(a)',
  '"$(a)"',
  '`a`',
  '"`a`"',
  '$((1))',
  '((1));',
  '{a,b}',
  '{1..',
  '<(a) ',
  '(a);',
  '[[ a ]];',
  'f(){ a;};',
  'f(){ f;};f;',
  'a=(b) ',
  '@(a)',
  '+(a|',
  'case a in (a|',
  '[[ a =~ (',
  '${a//a/',
  '${a^^',
  '${!a*}',
  'let a[',
  'declare a[',
  '$(cat <<E\n',
  '[!^]',
  '1+',
  '1?',
  'a?b:',
  '\t',
  '\u00a0',
  '$(<',
  'if ',
  'for ((',
  '${a:$(',
  '$(`',
  '"`',
  'unset f;',
  'x=$x;',
];

function nested([open, close], depth) {
  const one = `${open.repeat(depth)}a${close.repeat(depth)}`;
  return `${one};`.repeat(Math.max(1, Math.floor(LENGTH / (one.length + 1)))).slice(0, LENGTH);
}

function filled([open, close], depth) {
  const room = Math.floor((LENGTH - depth * (open.length + close.length)) / 2);
  return open.repeat(depth) + 'x '.repeat(Math.max(0, room)) + close.repeat(depth);
}

function functions() {
  const names = Array.from({ length: 900 }, (_, index) => `f${index}`);
  const chain = names.map((name, index) => `${name}(){ ${names[index - 1] ?? ':'};};`).join('');
  return `${chain}${`(${names.at(-1)});g(){ :;};`.repeat(2000)}`.slice(0, LENGTH);
}

function hostile() {
  const cases = [['a chain of functions', functions()]];
  for (const text of REPEATED) cases.push([`${text} …`, text.repeat(LENGTH / text.length + 1).slice(0, LENGTH)]);
  for (const pair of PAIRS) {
    const name = pair.join('…');
    const most = Math.floor((LENGTH - 1) / (pair[0].length + pair[1].length));
    cases.push([`${name} to the end`, nested(pair, most)], [`${name} unclosed`, pair[0].repeat(LENGTH).slice(0, LENGTH)]);
    for (const depth of [4, 12, 23, 120, 250]) {
      cases.push([`${name} ${depth} deep, repeated`, nested(pair, depth)], [`${name} ${depth} deep, long inside`, filled(pair, depth)]);
    }
  }
  return cases;
}

function milliseconds(policy, command, shell) {
  const start = process.hrtime.bigint();
  let outcome = 'allowed';
  try {
    if (chooseShell(command, shell, policy, {}).unlisted) outcome = 'allowed if the sandbox has its programs';
  } catch (error) {
    outcome = error.extensions?.reason ?? String(error);
  }
  return { time: Number(process.hrtime.bigint() - start) / 1e6, outcome };
}

const rows = [];
for (const [mode, policy] of policies) {
  const rounds = 2000;
  for (const shell of ['sh', 'auto']) {
    for (let warm = 0; warm < rounds; warm++) for (const command of COMMON) milliseconds(policy, command, shell);
    const start = process.hrtime.bigint();
    for (let round = 0; round < rounds; round++) for (const command of COMMON) milliseconds(policy, command, shell);
    const mean = Number(process.hrtime.bigint() - start) / 1e6 / rounds / COMMON.length;
    console.log(`${mode}, ${shell}: a common command takes ${mean.toFixed(4)} ms`);
  }
  for (const [name, command] of hostile()) {
    for (const shell of SHELLS) rows.push({ mode, shell, name: name.replaceAll('\n', '\\n'), ...milliseconds(policy, command, shell) });
  }
}
rows.sort((a, b) => b.time - a.time);
console.log(`\nThe slowest of ${rows.length} hostile scripts of ${LENGTH} characters:`);
console.table(
  rows
    .slice(0, 15)
    .map(({ mode, shell, name, time, outcome }) => ({ mode, shell, name, ms: time.toFixed(1), outcome: outcome.slice(0, 50) })),
);
