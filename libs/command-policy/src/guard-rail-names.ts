import type { CommandArgument, SyntaxNode } from 'unbash';
import type { CalledNames } from './called-names';
import { namesOf } from './program-names';
import { NOT_LISTED, Refusal } from './refusal';
import { literalValue } from './words';

interface Call {
  readonly name: string;
  readonly offset: number;
  readonly plain: boolean;
}

/** Builtins that take in text nobody sees here, which may define any name. */
const RUNS_UNSEEN_TEXT = new Set(['.', 'source', 'eval']);
/** Builtins that set the variables they name. */
const SETS_VARIABLES = new Set(['read', 'printf', 'export', 'declare', 'typeset', 'readonly', 'local', 'getopts', 'mapfile', 'readarray']);
/** What puts a program of one's own on PATH: `pip install ./app && app`. */
const INSTALLERS = new Set(
  `pip pipx uv poetry pdm hatch flit conda mamba python npm pnpm yarn bun cargo go gem bundle make gmake cmake ninja meson just task
  composer luarocks cpan cpanm dotnet cabal stack opam mix`.split(/\s+/),
);
const INSTALLS = /^(?:--)?(?:install|i|ci|add|link|sync|develop|inject|tool)$/;
/** Where such a program lands. */
const LANDS_IN = /\.local\/bin\b/;

/**
 * The names that a script may call under a guard-rail: besides the list, whatever the script or the
 * workspace may define. Order, branches and subshells do not matter. The list stops slips; a script
 * that defines a name means to call it.
 */
export class GuardRailNames implements CalledNames {
  private readonly defined = new Set<string>();
  private readonly calls: Call[] = [];
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
    // A function that is unset later was there before.
  }

  call(name: string, offset: number, onList: boolean, plain: boolean): void {
    if (!onList) this.calls.push({ name, offset, plain });
  }

  /** Looks at a node for a PATH that the script sets. */
  visit(node: SyntaxNode): void {
    const sets =
      (node.type === 'Assignment' && node.name === 'PATH') ||
      (node.type === 'For' && node.name.text === 'PATH') ||
      (node.type === 'ParameterExpansion' && node.parameter === 'PATH' && /^:?=$/.test(operatorOf(node)));
    if (sets) this.definesAnything = true;
  }

  /** Looks at a program or builtin and its arguments for what it may define. */
  run(name: string, args: readonly CommandArgument[]): void {
    const values = args.map(literalValue);
    if (RUNS_UNSEEN_TEXT.has(name) || installs(name, values)) this.definesAnything = true;
    if (SETS_VARIABLES.has(name) && values.some((value) => value === 'PATH')) this.definesAnything = true;
    if (name === 'hash' && values.includes('-p')) this.definesAnything = true;
    if (name === 'alias') this.aliases(args);
  }

  finish(): void {
    if (this.definesAnything) return;
    const unanswered = this.calls.find(({ name, plain }) => !(plain && this.defined.has(name)));
    if (unanswered) throw new Refusal(unanswered.name, unanswered.offset, NOT_LISTED);
  }

  /** `alias ll='ls -l'`: the name is literal, whatever its value is. */
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
