import type { CommandArgument, SyntaxNode } from 'unbash';
import type { CalledNames } from './called-names';
import { whyLeftOut } from './left-out-programs';
import { namesOf } from './program-names';
import { NOT_LISTED, Refusal } from './refusal';
import { literalValue } from './words';

/** A call of a name that the list does not have. */
export interface UnlistedCall {
  readonly name: string;
  /** Its place in the text, in UTF-16 units. */
  readonly offset: number;
}

interface Call extends UnlistedCall {
  readonly plain: boolean;
}

/** Builtins that run text which the policy cannot see. It may define any name. */
const RUNS_UNSEEN_TEXT = new Set(['.', 'source', 'eval']);
/** Builtins that set the variables they name. */
const SETS_VARIABLES = new Set(['read', 'printf', 'export', 'declare', 'typeset', 'readonly', 'local', 'getopts', 'mapfile', 'readarray']);
/** Programs that put a program of the session's own on PATH: `pip install ./app && app`. */
const INSTALLERS = new Set(
  `pip pipx uv poetry pdm hatch flit conda mamba python npm pnpm yarn bun cargo go gem bundle make gmake cmake ninja meson just task
  composer luarocks cpan cpanm dotnet cabal stack opam mix`.split(/\s+/),
);
const INSTALLS = /^(?:--)?(?:install|i|ci|add|link|sync|develop|inject|tool)$/;
/** The directory into which they install it. */
const LANDS_IN = /\.local\/bin\b/;

/**
 * Decides which names a script may call under a guard-rail: those on the list, and those that the
 * script or the workspace may define. Order, branches and subshells do not matter. The list stops
 * slips, and a script that defines a name means to call it. Only the sandbox knows what programs an
 * earlier command has installed: `unlisted` has the names that are left for it to judge.
 */
export class GuardRailNames implements CalledNames {
  private readonly defined = new Set<string>();
  private readonly calls: Call[] = [];
  private unexplained: readonly UnlistedCall[] = [];
  private definesAnything: boolean;

  /** @param environment the names of the variables that the request sets */
  constructor(source: string, environment: readonly string[]) {
    this.definesAnything = environment.includes('PATH') || LANDS_IN.test(source);
  }

  uncertain(visit: () => void): void {
    visit();
  }

  loop(visit: () => void): void {
    visit();
  }

  define(name: string, visitBody: () => void): void {
    this.defined.add(name);
    if (name === 'command_not_found_handle') this.definesAnything = true;
    visitBody();
  }

  unset(): void {
    // A function that is unset later existed before.
  }

  call(name: string, offset: number, onList: boolean, plain: boolean): void {
    if (!onList) this.calls.push({ name, offset, plain });
  }

  /** Looks for a place at which the script sets PATH. */
  visit(node: SyntaxNode): void {
    const sets =
      (node.type === 'Assignment' && node.name === 'PATH') ||
      (node.type === 'For' && node.name.text === 'PATH') ||
      (node.type === 'ParameterExpansion' && node.parameter === 'PATH' && /^:?=$/.test(operatorOf(node)));
    if (sets) this.definesAnything = true;
  }

  /** Looks at what a program or builtin may define, by its arguments. */
  run(name: string, args: readonly CommandArgument[]): void {
    const values = args.map(literalValue);
    if (RUNS_UNSEEN_TEXT.has(name) || installs(name, values)) this.definesAnything = true;
    if (SETS_VARIABLES.has(name) && values.some((value) => value === 'PATH')) this.definesAnything = true;
    if (name === 'hash' && values.includes('-p')) this.definesAnything = true;
    if (name === 'alias') this.aliases(args);
  }

  /** @throws Refusal for a program that the list leaves out on purpose */
  finish(): void {
    if (this.definesAnything) return;
    this.unexplained = this.calls.filter(({ name, plain }) => !(plain && this.defined.has(name)));
    const leftOut = this.unexplained.find(({ name }) => whyLeftOut(name) !== undefined);
    if (leftOut) throw new Refusal(leftOut.name, leftOut.offset, NOT_LISTED);
  }

  /** Once finished: the calls that are right only if the session has a program of that name. */
  get unlisted(): readonly UnlistedCall[] {
    return this.unexplained;
  }

  /** Notes aliases such as `alias ll='ls -l'`. The name is literal, whatever the value is. */
  private aliases(args: readonly CommandArgument[]): void {
    for (const arg of args) {
      const name = /^([^\s'"$`\\=]+)=/.exec(arg.text)?.[1];
      if (name === undefined) this.definesAnything ||= literalValue(arg) === undefined;
      else this.defined.add(name);
    }
  }
}

function installs(program: string, values: readonly (string | undefined)[]): boolean {
  return namesOf(program).some((name) => INSTALLERS.has(name)) && values.some((value) => value !== undefined && INSTALLS.test(value));
}

function operatorOf(node: Extract<SyntaxNode, { type: 'ParameterExpansion' }>): string {
  return node.operation?.type === 'Default' ? node.operation.operator : '';
}
