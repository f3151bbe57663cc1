import type { CommandArgument } from 'unbash';
import { isOneField, keepsItsBeginning, literalValue } from './words';
import { isProtectedVariable, PROTECTED_VARIABLE, type NumericVariables } from './strict-variables';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const RUNS_TEXT = 'it runs text as commands, which a strict list cannot allow';
const OPTIONS = 'under a strict list this builtin takes only literal, harmless arguments';

/**
 * Says why a call of a builtin could run something that its text does not name.
 * @returns undefined if it cannot
 */
type Rule = (args: readonly CommandArgument[], numbers: NumericVariables) => string | undefined;

const anything: Rule = () => undefined;
const runsText: Rule = () => RUNS_TEXT;

const literals =
  (pattern: RegExp): Rule =>
  (args) =>
    args.every((arg) => pattern.test(literalValue(arg) ?? '\0')) ? undefined : OPTIONS;

/** `export`, `readonly` and `local` take names, or assignments that no shell splits. */
const declares: Rule = (args, numbers) => {
  for (const arg of args) {
    if (arg.type === 'Assignment') {
      if (arg.value.type === 'ArrayValue' || !isOneField(arg.value)) return 'shells split an unquoted value here: quote it';
      continue;
    }
    const name = literalValue(arg);
    if (name === undefined || !(NAME.test(name) || name === '-p')) return OPTIONS;
    if (isProtectedVariable(name)) return PROTECTED_VARIABLE;
    numbers.assign(name, []);
  }
  return undefined;
};

const reads: Rule = (args, numbers) => {
  for (const arg of args) {
    const name = literalValue(arg);
    if (name === '-r') continue;
    if (name === undefined || !NAME.test(name)) return OPTIONS;
    if (isProtectedVariable(name)) return PROTECTED_VARIABLE;
    numbers.assign(name, undefined);
  }
  return undefined;
};

const unsets: Rule = (args) => {
  const names = args.map((arg) => literalValue(arg) ?? '');
  if (!names.every((name) => NAME.test(name) || name === '-f' || name === '-v')) return OPTIONS;
  return names.some(isProtectedVariable) ? PROTECTED_VARIABLE : undefined;
};

/** In bash, `printf -v 'a[$(id)]'` runs id, and `printf %n PATH` sets PATH. */
const prints: Rule = (args) => {
  const [first, second] = args.slice(0, 2).map(literalValue);
  if (args.length === 0) return undefined;
  const format = first === '--' && args.length > 1 ? second : first;
  if (format === undefined) return 'the format of printf must be literal under a strict list';
  return (first !== '--' && format.startsWith('-')) || /%[-+ #0'*.\dhjlLtzqy]*n/.test(format) ? OPTIONS : undefined;
};

const sets: Rule = (args) => {
  for (const [index, arg] of args.entries()) {
    const value = literalValue(arg);
    if (value === '--') return undefined;
    if (value !== undefined && /^[-+][aefux]*o?$/.test(value)) continue;
    const option = index > 0 && /o$/.test(literalValue(args[index - 1] as CommandArgument) ?? '');
    if (option && /^(?:pipefail|errexit|nounset|xtrace|noglob|allexport)$/.test(value ?? '')) continue;
    return index === 0 && value !== undefined && /^\w/.test(value) ? undefined : 'under a strict list write `set --` before arguments';
  }
  return undefined;
};

const traps: Rule = ([first]) => (!first || ['-', '', '-p', '-l'].includes(literalValue(first) ?? 'code') ? undefined : RUNS_TEXT);

const BINARY_OPERATOR = /^(?:=|==|!=|<|>|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef))$/;
const UNARY_OPERATOR = /^-[bcdefghknprstuwxzGLNOS]$/;

/** In bash, `[ -v 'a[$(id)]' ]` runs id. So no expansion may stand where an operator is read. */
const tests: Rule = (args, numbers) => {
  const values = args.map((arg) => literalValue(arg));
  if (values.includes('-v') || values.includes('-R')) return OPTIONS;
  if (!values.includes(undefined)) return undefined;
  if (values[0] === '!') return tests(args.slice(1), numbers);
  if (!args.every((arg) => staysOneOperand(arg, numbers))) return 'an unquoted expansion may become an operator here: quote it';
  const [first, second] = values;
  if (args.length <= 1 || (args.length === 2 && UNARY_OPERATOR.test(first ?? ''))) return undefined;
  if (args.length === 3 && BINARY_OPERATOR.test(second ?? '')) return undefined;
  return 'an expansion may become an operator here: use one comparison for each test';
};

function staysOneOperand(arg: CommandArgument, numbers: NumericVariables): boolean {
  if (arg.type === 'Assignment') return literalValue(arg) !== undefined;
  if (isOneField(arg) || /^\$[?#$!]$/.test(arg.text)) return true;
  const variable = /^\$\{?([A-Za-z_]\w*)\}?$/.exec(arg.text)?.[1];
  if (variable === undefined) return false;
  numbers.use(
    variable,
    arg.pos,
    'an unquoted expansion may become an operator here, and this variable is not only given numbers: quote it',
  );
  return true;
}

/** dash takes an option of exec, even `--`, for the program. */
const replacesShell: Rule = ([first]) => (first && literalValue(first)?.startsWith('-') ? OPTIONS : undefined);

const bracket: Rule = (args, numbers) => {
  const last = args.at(-1);
  return last && literalValue(last) === ']' ? tests(args.slice(0, -1), numbers) : OPTIONS;
};

/** The rule of each builtin. A builtin without a rule is refused. */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...['eval', '.', 'source', 'alias', 'fc', 'bind', 'complete', 'enable', 'mapfile', 'readarray'].map((name): [string, Rule] => [
    name,
    runsText,
  ]),
  ...[':', 'true', 'false', 'echo', 'cd', 'pwd', 'exit', 'return', 'break', 'continue', 'shift', 'times', 'type', 'kill', 'fg', 'bg'].map(
    (name): [string, Rule] => [name, anything],
  ),
  ['exec', replacesShell],
  ...['command', 'builtin'].map((name): [string, Rule] => [name, anything]),
  ...['export', 'readonly', 'local'].map((name): [string, Rule] => [name, declares]),
  ['read', reads],
  ['unset', unsets],
  ['printf', prints],
  ['set', sets],
  ['trap', traps],
  ['test', tests],
  ['[', bracket],
  ['wait', (args) => (args.every((arg) => arg.text === '$!' || arg.text === '"$!"' || /^\d+$/.test(arg.text)) ? undefined : OPTIONS)],
  ['hash', literals(/^-r$/)],
  ['jobs', literals(/^(?:-[lnprs]+|%[\w+-]*)$/)],
  ['umask', literals(/^[\w=+,-]+$/)],
  ['ulimit', literals(/^(?:-[A-Za-z]+|\d+|unlimited)$/)],
  ['unalias', literals(/^[\w-]+$/)],
  ...['pushd', 'popd', 'dirs', 'disown', 'caller', 'logout', 'suspend', 'help'].map((name): [string, Rule] => [name, anything]),
]);

/** @returns why a strict list refuses this call of a builtin; undefined if it allows it */
export function builtinObjection(name: string, args: readonly CommandArgument[], numbers: NumericVariables): string | undefined {
  const rule = RULES.get(name);
  return rule ? rule(args, numbers) : 'this builtin is not available under a strict list';
}

/** Programs that run another program only with one option. */
const RUNNING_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['sort', '--compress-program'],
  ['split', '--filter'],
  ['install', '--strip-program'],
]);

/**
 * Objects to an option that runs another program. GNU programs take a shortened long option, such
 * as `--comp=sh`.
 * @returns undefined if there is no objection
 */
export function optionObjection(program: string, args: readonly CommandArgument[]): string | undefined {
  const option = RUNNING_OPTIONS.get(program);
  if (option === undefined) return undefined;
  for (const arg of args) {
    const value = literalValue(arg);
    if (value === '--') return undefined;
    const named = value?.split('=')[0] ?? '';
    if (named.length > 2 && option.startsWith(named)) return `its option ${option} runs another program`;
    if (value === undefined && !isOperand(arg)) return `an expansion may become its option ${option}: put -- before it`;
  }
  return undefined;
}

/** Whether the argument can never become an option, whatever its expansions give. */
function isOperand(arg: CommandArgument): boolean {
  return arg.type === 'Word' && /^"?[\w./]/.test(arg.text) && keepsItsBeginning(arg);
}
