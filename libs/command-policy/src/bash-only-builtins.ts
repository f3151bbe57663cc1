import type { CommandArgument } from 'unbash';
import { BASH_BUILTINS, COMMON_BUILTINS } from './shell-builtins';
import { isLiteralPart, literalValue } from './words';

/**
 * Whether a call of a builtin gives, or may give, another result in bash than in dash.
 * @param values the value of each argument that the text alone tells, else undefined
 */
type Rule = (values: readonly (string | undefined)[], args: readonly CommandArgument[]) => boolean;

const always: Rule = () => true;

/** dash's echo has no -e, and turns `\n` into a newline, even if a variable holds it. */
const echo: Rule = (values, args) => {
  const [first, second] = values.map((value) => value ?? '');
  const isOption = (value = ''): boolean => /^-[neE]+$/.test(value);
  if (isOption(first) && (first !== '-n' || isOption(second))) return true;
  return values.some((value) => value?.includes('\\')) || args.some(mayHoldBackslash);
};

/** Formats that dash's printf knows too. It lacks `\x41`, `\u00e9`, `\"`, `%q` and `%(…)T`. */
const PRINTF_OF_BOTH =
  /^(?:[^\\%]|\\(?:[\\abcefnrtv]|[0-7]{1,3})|%(?:%|[-+ #0]{0,5}(?:\d{1,4}|\*)?(?:\.(?:\d{1,4}|\*)?)?[diouxXeEfFgGcs]))*$/;

const printf: Rule = (values) => {
  const [format, ...rest] = values[0] === '--' ? values.slice(1) : values;
  if (values.length === 0) return false;
  if (format === undefined || format.startsWith('-') || !PRINTF_OF_BOTH.test(format)) return true;
  // The number of a character: dash gives the number of its first byte.
  return rest.some((value) => value !== undefined && /^['"][^\0-\x7f]/.test(value));
};

/** dash knows only -r and -p, and needs a name. */
const read: Rule = (values) => {
  const names = values[0] === '-r' ? values.slice(1) : values;
  return names.length === 0 || names.some((name) => name === undefined || name.startsWith('-'));
};

const test: Rule = (values) => {
  const operands = values[0] === '!' ? values.slice(1) : values;
  return operands[0] === '-a' || operands.some((value) => value !== undefined && /^(?:==|-[vNR]|-nt|-ot)$/.test(value));
};

const OPTIONS_OF_BOTH = new Set(['noglob', 'monitor', 'noexec', 'xtrace', 'verbose', 'noclobber', 'allexport', 'notify', 'nounset']);

/**
 * Options that both shells have. dash lacks some, such as pipefail. `-e` is left out too, because
 * bash turns it off in `$(…)`.
 */
const set: Rule = (values) => {
  if (values.length === 0) return true;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value === undefined || value === '--' || !/^[-+]./.test(value)) return false;
    if (!/^[-+][afnuvxCbm]*o?$/.test(value)) return true;
    if (value.endsWith('o') && !OPTIONS_OF_BOTH.has(values[++index] ?? '')) return true;
  }
  return false;
};

/**
 * Options such as `export -f` and `readonly -a` are bash's. Without arguments, the lists that the
 * shells print differ.
 */
const declares: Rule = (values) => values.length === 0 || values.some((value) => value !== undefined && /^-[^-]/.test(value));

/** dash knows signals by number or by name without SIG. It knows no jobs (`%1`) in a script. */
const kill: Rule = (values) => values.some((value) => value !== undefined && /^(?:-[lLn]|-?SIG\w+|%.*)$/i.test(value));

/** dash refuses `-1` and numbers over 255, which bash takes. */
const exits: Rule = ([status]) => status !== undefined && !(/^\d{1,3}$/.test(status) && Number(status) <= 255);

const some =
  (pattern: RegExp): Rule =>
  (values) =>
    values.some((value) => value !== undefined && pattern.test(value));

/**
 * The builtins of both shells that may differ. A builtin that is not listed does the same in both.
 */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  // They run text or a file that may hold anything. dash also looks for `. x` only on PATH.
  ['eval', always],
  ['.', always],
  // dash knows no ERR, DEBUG or SIGINT here. And a signal that ends dash skips the trap on EXIT.
  ['trap', always],
  // In dash, `local x` keeps the value of the outer x, and options are an error.
  ['local', always],
  // dash ends the script if it has to shift more arguments than there are.
  ['shift', always],
  // Their units, options or output differ.
  ['ulimit', always],
  ['type', always],
  ['jobs', always],
  ['hash', always],
  ['times', always],
  ['echo', echo],
  ['printf', printf],
  ['read', read],
  ['test', test],
  ['[', test],
  ['set', set],
  ['export', declares],
  ['readonly', declares],
  ['kill', kill],
  ['exit', exits],
  ['return', exits],
  ['unset', some(/^-n|\[/)],
  ['wait', some(/^[-%]/)],
  ['umask', some(/^-p/)],
  ['command', some(/^-V/)],
  ['exec', ([first]) => first !== undefined && first.startsWith('-')],
  // dash ignores a second directory; bash refuses it.
  ['cd', (values) => values.length > 1 && !/^-[LP-]/.test(values[0] ?? '')],
]);

/**
 * The special builtins of POSIX. In dash, a failed redirection of one ends the script, and a
 * variable set before one stays set.
 */
export const SPECIAL_BUILTINS: ReadonlySet<string> = new Set(
  ': . break continue eval exec exit export readonly return set shift times trap unset'.split(' '),
);

/** Whether only bash has this builtin, or only bash does this with these arguments. */
export function isBashOnlyCall(name: string, args: readonly CommandArgument[]): boolean {
  const rule = RULES.get(name);
  if (!rule) return BASH_BUILTINS.has(name) && !COMMON_BUILTINS.has(name);
  return rule(args.map(literalValue), args);
}

/**
 * Whether the value of a word may hold a backslash. Any expansion that is no number may, and so may
 * a file name that matches `*`.
 */
function mayHoldBackslash(arg: CommandArgument): boolean {
  if (literalValue(arg) !== undefined) return false;
  const parts = arg.type === 'Word' ? arg.parts : undefined;
  return !parts?.every(
    (part) =>
      isLiteralPart(part) ||
      part.type === 'ArithmeticExpansion' ||
      (part.type === 'DoubleQuoted' && part.parts.every((inner) => isLiteralPart(inner) || isNumber(inner.text))) ||
      isNumber(part.text),
  );
}

function isNumber(expansion: string): boolean {
  return /^\$[?#$!]$|^\$\(\(/.test(expansion);
}
