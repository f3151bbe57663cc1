import { Refusal } from './refusal';

/**
 * Variables that decide what a shell, the loader or an interpreter runs. Many programs on a list
 * are scripts of an interpreter.
 */
const DECIDES =
  /^(?:PATH|ENV|LD_.*|BASH.*|SHELLOPTS|POSIXLY_CORRECT|PS\d|PROMPT_COMMAND|EXECIGNORE|GCONV_PATH|LOCPATH|GLIBC_TUNABLES|PYTHON.*|PERL.*|NODE_.*|RUBY.*|GEM_.*|LUA_.*|_?JAVA_.*|JDK_JAVA_OPTIONS|CLASSPATH|AWK|SHELL|PAGER|EDITOR|VISUAL|BROWSER)$/s;

/** Variables that bash evaluates as arithmetic when they are set: `RANDOM='a[$(id)]'` runs id. */
const EVALUATED = /^(?:RANDOM|SRANDOM|SECONDS|LINENO|HISTCMD|OPTIND|EPOCHSECONDS|EPOCHREALTIME|[EU]ID|PPID)$/;

export const PROTECTED_VARIABLE = 'this variable decides what a shell runs, and may not be set under a strict list';

export function isProtectedVariable(name: string): boolean {
  return DECIDES.test(name) || EVALUATED.test(name);
}

/** Variables that the shell sets to what a script may choose. */
const SET_BY_SHELL = new Set(['_', 'REPLY', 'OPTARG', 'PWD', 'OLDPWD', 'DIRSTACK', 'FUNCNAME', 'MAPFILE', 'COPROC', 'HOME', 'IFS']);

/**
 * Knows which variables can only hold numbers. In arithmetic, bash evaluates a variable's value as
 * an expression, and runs the substitutions in its subscripts. With `x='a[$(id)]'`, `$((x))` runs
 * id.
 */
export class NumericVariables {
  private readonly sources = new Map<string, Set<string>>();
  private readonly notNumeric = new Set<string>();
  private readonly uses: { name: string; offset: number; reason: string }[] = [];

  constructor(environment: readonly string[]) {
    for (const name of environment) this.notNumeric.add(name);
  }

  /**
   * Notes an assignment.
   * @param from the variables whose values it takes; undefined if the value may be any text
   */
  assign(name: string, from: readonly string[] | undefined): void {
    if (from === undefined) this.notNumeric.add(name);
    const known = this.sources.get(name) ?? new Set();
    for (const source of from ?? []) known.add(source);
    this.sources.set(name, known);
  }

  /**
   * Notes a use that is safe only if the variable is a number. `finish` judges it, because a loop
   * may assign the variable further down.
   */
  use(name: string, offset: number, reason: string): void {
    this.uses.push({ name, offset, reason });
  }

  /** @throws Refusal for the first use of a variable that may be no number */
  finish(): void {
    const trusted = new Set<string>();
    for (const { name, offset, reason } of this.uses) {
      if (!this.isNumeric(name, trusted)) throw new Refusal(name, offset, reason);
    }
  }

  private isNumeric(name: string, trusted: Set<string>): boolean {
    const pending = [name];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (trusted.has(next)) continue;
      const sources = this.sources.get(next);
      if (!sources || this.notNumeric.has(next) || SET_BY_SHELL.has(next)) return false;
      trusted.add(next);
      pending.push(...sources);
    }
    return true;
  }
}
