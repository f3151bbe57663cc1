import { ErrorCode, SandboxError } from '@sandbox/errors';
import { DEFAULT_ALLOWED_PROGRAMS } from './allowed-programs';
import type { ParsedCommand } from './parsed-command';
import { GuardRailNames, type UnlistedCall } from './guard-rail-names';
import { whyLeftOut } from './left-out-programs';
import { NOT_LISTED, positionAt, quoteWord, Refusal } from './refusal';
import { programsThatRunOthers } from './runs-programs';
import { ScriptChecker } from './script-checker';
import { StrictRules } from './strict-rules';
import { similarNames } from './similar-names';
import type { Shell } from './strict-syntax';

/**
 * Decides which programs a command may name. `guard-rail`: the list holds a program that can run
 * others, so the policy only keeps honest users to the list. `strict`: the list holds none, and the
 * policy also refuses whatever could run another program unseen.
 */
export interface CommandPolicy {
  readonly mode: 'off' | 'guard-rail' | 'strict';
  /** The names on the list, sorted. Empty if the policy is off. */
  readonly allowed: readonly string[];
  /**
   * Checks a command.
   * @param env the variables that the request sets. A strict policy refuses names that decide what
   *   a shell runs.
   * @returns undefined if the command may run. Else it may run if the sandbox finds that these are
   *   programs of the session's own.
   * @throws SandboxError COMMAND_NOT_ALLOWED
   */
  check(command: ParsedCommand, shell: Shell, env?: Readonly<Record<string, string>>): UnlistedPrograms | undefined;
}

/**
 * The programs of a command that are not on the list of a guard-rail. They may be the session's
 * own.
 */
export interface UnlistedPrograms {
  /** Plain names, each once, in the order of the command. At least one. */
  readonly names: readonly string[];
  /** Makes the error for the name at this place of `names`, if it is no such program. */
  refusal(index: number): SandboxError;
}

/** The injection token of the policy. */
export const COMMAND_POLICY = Symbol('CommandPolicy');

/**
 * How many names the text of a refusal lists. `allowed` in the problem document has all of them.
 */
const NAMES_IN_DETAIL = 30;

/**
 * Creates the policy of a list.
 * @param allowedCommands names of programs. Empty: the default list. With `*` among them: no
 *   policy.
 */
export function createCommandPolicy(allowedCommands: readonly string[]): CommandPolicy {
  if (allowedCommands.includes('*')) return { mode: 'off', allowed: [], check: () => undefined };
  const allowed = allowedCommands.length > 0 ? [...new Set(allowedCommands)].sort() : DEFAULT_ALLOWED_PROGRAMS;
  const names = new Set(allowed);
  const mode = programsThatRunOthers(allowed).length > 0 ? 'guard-rail' : 'strict';

  return {
    mode,
    allowed,
    check(command, shell, env = {}) {
      const refused = (refusal: Refusal): SandboxError => refusalError(command.text, withReason(refusal, mode, allowed), allowed);
      try {
        const calls = checkScript(command, names, () =>
          mode === 'strict' ? new StrictRules(command.text, shell, Object.keys(env)) : new GuardRailNames(command.text, Object.keys(env)),
        );
        return calls.length === 0 ? undefined : unlistedPrograms(calls, refused);
      } catch (error) {
        throw refused(asRefusal(error));
      }
    },
  };
}

/** Describes the policy in one line, for the start-up log. */
export function describePolicy(policy: CommandPolicy): string {
  const boundary = 'The list is policy; the container is the boundary.';
  if (policy.mode === 'off') return `Command policy: off (ALLOWED_COMMANDS holds *), every program may be named. ${boundary}`;
  const count = `${policy.allowed.length} program${policy.allowed.length === 1 ? '' : 's'} allowed`;
  if (policy.mode === 'strict') return `Command policy: strict, ${count}, none of which can run others. ${boundary}`;
  const runners = programsThatRunOthers(policy.allowed);
  const more = runners.length > 5 ? ` and ${runners.length - 5} more` : '';
  return `Command policy: guard-rail, ${count}, some of which can run others (${runners.slice(0, 5).join(', ')}${more}). ${boundary}`;
}

/**
 * @returns the calls that only the sandbox can judge
 * @throws Refusal, or what the parser throws
 */
function checkScript(
  command: ParsedCommand,
  allowed: ReadonlySet<string>,
  makeRules: () => StrictRules | GuardRailNames,
): readonly UnlistedCall[] {
  const { script } = command;
  const rules = makeRules();
  new ScriptChecker(command.text, allowed, rules).check(script);
  return rules instanceof GuardRailNames ? rules.unlisted : [];
}

function unlistedPrograms(calls: readonly UnlistedCall[], refused: (refusal: Refusal) => SandboxError): UnlistedPrograms {
  const first = new Map<string, UnlistedCall>();
  for (const call of calls) if (!first.has(call.name)) first.set(call.name, call);
  const firsts = [...first.values()];
  return {
    names: [...first.keys()],
    refusal: (index) => {
      const { name, offset } = firsts[index]!;
      return refused(new Refusal(name, offset, NOT_LISTED));
    },
  };
}

/**
 * The parser or the walk may fail, for example because deep nesting exhausts the stack. Such a
 * script is refused like any other that they object to.
 */
function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal('', 0, 'it cannot be parsed as a shell script');
}

/** Adds why a program is not on the list, if that is known, or what the caller may do instead. */
function withReason(refusal: Refusal, mode: CommandPolicy['mode'], allowed: readonly string[]): Refusal {
  const { word, offset, reason } = refusal;
  if (reason !== NOT_LISTED || mode === 'strict') return refusal;
  const known = allowed === DEFAULT_ALLOWED_PROGRAMS ? whyLeftOut(word.slice(word.lastIndexOf('/') + 1)) : undefined;
  if (known !== undefined) return new Refusal(word, offset, known);
  return word.includes('/') ? refusal : new Refusal(word, offset, `${reason}; a program of your own runs by its path, as ./NAME`);
}

function refusalError(command: string, { word, offset, reason }: Refusal, allowed: readonly string[]): SandboxError {
  const position = positionAt(command, offset);
  const quoted = quoteWord(word);
  const similar = similarNames(quoted, allowed);
  const list = allowed.length <= NAMES_IN_DETAIL ? allowed.join(', ') : longList(similar, allowed);
  const subject = quoted === '' ? 'The end of the command' : `\`${quoted}\``;
  const detail = `${subject} at line ${position.line}, column ${position.column} is not allowed: ${reason}. Allowed: ${list}.`;
  return new SandboxError(ErrorCode.COMMAND_NOT_ALLOWED, detail, { extensions: { word: quoted, position, reason, similar, allowed } });
}

function longList(similar: readonly string[], allowed: readonly string[]): string {
  const alike = similar.length === 0 ? '' : `, among them ${similar.join(', ')}`;
  return `${allowed.length} programs${alike}; REST lists them in \`allowed\``;
}
