import { Refusal } from './refusal';

/** Variables that decide what a shell or the loader runs, or an interpreter: many a program on a list is a script of one. */
const DECIDES =
  /^(?:PATH|ENV|LD_.*|BASH.*|SHELLOPTS|POSIXLY_CORRECT|PS\d|PROMPT_COMMAND|EXECIGNORE|GCONV_PATH|LOCPATH|GLIBC_TUNABLES|PYTHON.*|PERL.*|NODE_.*|RUBY.*|GEM_.*|LUA_.*|_?JAVA_.*|JDK_JAVA_OPTIONS|CLASSPATH|AWK|SHELL|PAGER|EDITOR|VISUAL|BROWSER)$/s;

/** Variables that bash evaluates as arithmetic when they are set: `RANDOM='a[$(id)]'` runs id. */
const EVALUATED = /^(?:RANDOM|SRANDOM|SECONDS|LINENO|HISTCMD|OPTIND|EPOCHSECONDS|EPOCHREALTIME|[EU]ID|PPID)$/;

export const PROTECTED_VARIABLE = 'this variable decides what a shell runs, and may not be set under a strict list';

export function isProtectedVariable(name: string): boolean {
  return DECIDES.test(name) || EVALUATED.test(name);
}

/** Set by the shell itself, to what a script may choose. */
const SET_BY_SHELL = new Set(['_', 'REPLY', 'OPTARG', 'PWD', 'OLDPWD', 'DIRSTACK', 'FUNCNAME', 'MAPFILE', 'COPROC', 'HOME', 'IFS']);

/**
 * Which variables can only hold numbers. bash evaluates the value of a variable in arithmetic as an expression, and runs the
 * substitutions in its subscripts: with `x='a[$(id)]'`, `$((x))` runs id.
 */
export class NumericVariables {
  private readonly sources = new Map<string, Set<string>>();
  private readonly notNumeric = new Set<string>();
  private readonly uses: { name: string; offset: number; reason: string }[] = [];

  constructor(environment: readonly string[]) {
    for (const name of environment) this.notNumeric.add(name);
  }

  /** @param from the variables whose values it takes over; undefined: it may hold any text. */
  assign(name: string, from: readonly string[] | undefined): void {
    if (from === undefined) this.notNumeric.add(name);
    const known = this.sources.get(name) ?? new Set();
    for (const source of from ?? []) known.add(source);
    this.sources.set(name, known);
  }

  /** Safe only if a number; judged in `finish`, as a loop may assign it further down. */
  use(name: string, offset: number, reason: string): void {
    this.uses.push({ name, offset, reason });
  }

  /** @throws Refusal */
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
