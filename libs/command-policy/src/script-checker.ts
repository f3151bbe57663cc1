import { forEachChild, type Command, type CommandArgument, type ParsedScript, type Statement, type SyntaxNode, type Word } from 'unbash';
import type { CalledNames } from './called-names';
import { FunctionScope } from './function-scope';
import { GuardRailNames } from './guard-rail-names';
import { handsOnTo } from './handing-on';
import { whyLeftOut } from './left-out-programs';
import { isOwnPath } from './own-paths';
import { namesOf } from './program-names';
import { NOT_LISTED, Refusal } from './refusal';
import { ANY_BUILTINS } from './shell-builtins';
import { StrictRules } from './strict-rules';
import { literalValue } from './words';

/** Deeper substitutions are refused, because the parser reads a script once more for each level. */
const MAX_SUBSTITUTION_DEPTH = 24;

/**
 * Text in which a single quote may not quote: there, shells disagree with the parser or with each
 * other.
 */
const QUOTED_SUBSTITUTION = /`|\$[({]/;

/**
 * Visits a parsed script. Refuses the first program that is neither on the list nor a builtin nor a
 * function.
 */
export class ScriptChecker {
  private readonly strict: StrictRules | undefined;
  private readonly guardRail: GuardRailNames | undefined;
  private readonly names: CalledNames;
  private depth = 0;
  /** Inside arithmetic, a subscript, a here-document or the word of a parameter expansion. */
  private quotesUnsure = false;
  /**
   * The text of escaped backquotes has positions of its own. This is the position of its
   * substitution.
   */
  private origin: number | undefined;

  constructor(
    private readonly source: string,
    private readonly allowed: ReadonlySet<string>,
    mode: StrictRules | GuardRailNames,
  ) {
    this.strict = mode instanceof StrictRules ? mode : undefined;
    this.guardRail = mode instanceof GuardRailNames ? mode : undefined;
    this.names = this.guardRail ?? new FunctionScope();
  }

  /** @throws Refusal for the first name that is not allowed */
  check(script: ParsedScript): void {
    this.visit(script);
    this.names.finish();
    this.strict?.finish();
  }

  private readonly visit = (node: SyntaxNode): void => {
    this.strict?.visit(node);
    this.guardRail?.visit(node);
    switch (node.type) {
      case 'Script':
        return this.visitScript(node);
      case 'Statement':
        return this.visitStatement(node);
      case 'AndOr': {
        const [first, ...rest] = node.commands;
        if (first) this.visit(first);
        return rest.forEach((command) => this.names.uncertain(() => this.visit(command)));
      }
      case 'Command':
        return this.visitCommand(node);
      case 'Function':
        return this.visitFunction(node.name, () => this.visit(node.body));
      case 'Pipeline':
      case 'Subshell':
      case 'If':
      case 'Elif':
      case 'Case':
      case 'CaseItem':
      case 'Coproc':
      case 'Redirected':
        return forEachChild(node, (child) => this.names.uncertain(() => this.visit(child)));
      case 'While':
      case 'For':
      case 'Select':
      case 'ArithmeticFor':
        return this.names.loop(() => forEachChild(node, this.visit));
      case 'CommandExpansion':
      case 'ProcessSubstitution':
      case 'ArithmeticCommandExpansion':
        return this.deeper(node, false, () => this.names.uncertain(() => forEachChild(node, this.visit)));
      case 'ParameterExpansion':
      case 'ArithmeticExpansion':
      case 'ArithmeticCommand':
      case 'HereDocBody':
        return this.deeper(node, true, () => forEachChild(node, this.visit));
      case 'ArrayValue':
        return node.elements.forEach((element) => this.deeper(element, element.text.startsWith('['), () => this.visit(element)));
      case 'Assignment':
        if (node.index) this.deeper(node, true, () => node.index && this.visit(node.index));
        return this.visit(node.value);
      case 'ArithmeticWord':
      case 'SingleQuoted':
      case 'AnsiCQuoted':
        return this.visitQuoted(node);
      default:
        return forEachChild(node, this.visit);
    }
  };

  private visitScript(node: ParsedScript): void {
    const error = node.errors?.[0];
    if (error) {
      const word = /\S*/.exec((node.source ?? this.source).slice(error.pos))?.[0] ?? '';
      throw this.refusal(word, error.pos, `it cannot be parsed as a shell script: ${error.message}`);
    }
    node.commands.forEach(this.visit);
  }

  private visitStatement(node: Statement): void {
    if (node.background) this.names.uncertain(() => this.visit(node.command));
    else this.visit(node.command);
  }

  private visitQuoted(node: SyntaxNode & { value: string }): void {
    const unsure = node.type === 'ArithmeticWord' ? node.value.includes("'") : this.quotesUnsure;
    if (unsure && QUOTED_SUBSTITUTION.test(node.value)) {
      throw this.refusal(node.value, node.pos, 'shells differ in whether this substitution is quoted here');
    }
    forEachChild(node, this.visit);
  }

  private visitFunction(word: Word, visitBody: () => void): void {
    const name = literalValue(word);
    if (name === undefined) throw this.refusal(word.text, word.pos, 'the name of a function must be literal');
    this.names.define(name, visitBody);
  }

  private visitCommand(node: Command): void {
    node.prefix.forEach(this.visit);
    node.suffix.forEach(this.visit);
    if (node.name) this.visit(node.name);
    if (node.name) this.checkCall([node.name, ...node.args]);
  }

  /**
   * Checks a command. `command`, `exec`, `builtin` and `jobs -x` run the word after their options,
   * so that one is checked too.
   * @param words the command and its arguments
   */
  private checkCall(words: readonly CommandArgument[]): void {
    let by = '';
    for (let index: number | undefined = 0; index !== undefined;) {
      const word: CommandArgument | undefined = words[index];
      if (!word) return;
      const name = this.commandName(word);
      if (name === undefined) return;
      this.checkName(name, word, by);
      const args = words.slice(index + 1);
      if (name === 'unset') this.unset(args);
      if (ANY_BUILTINS.has(name)) this.strict?.builtin(name, word, args);
      else this.strict?.program(name, word, args);
      this.guardRail?.run(name, args);
      const step = handsOnTo(name, args);
      index = step === undefined ? undefined : index + 1 + step;
      by = name;
    }
  }

  /**
   * @returns undefined if only the running shell will know the name. A guard-rail lets such a
   *   command pass.
   */
  private commandName(word: CommandArgument): string | undefined {
    const name = literalValue(word);
    if (name !== undefined) return name;
    if (this.strict) throw this.refusal(word.text, word.pos, 'under a strict list the name of a program must be literal');
    const expands = word.type === 'Word' && word.parts?.some((part) => part.type === 'BraceExpansion' || part.type === 'ExtendedGlob');
    if (expands) throw this.refusal(word.text, word.pos, 'a brace expansion or extended glob may not stand for a program');
    return undefined;
  }

  private checkName(word: string, node: CommandArgument, by: string): void {
    const offset = this.offsetOf(node.pos);
    const isPath = word.includes('/');
    const name = isPath ? this.programOf(word, node) : word;
    if (name === undefined) return;
    // A path and `exec` ignore functions and builtins. `command` and `builtin` ignore functions.
    const onList = this.isListed(name) || this.allowed.has(word) || (!isPath && by !== 'exec' && this.isBuiltin(name));
    if (!isPath) this.names.call(name, offset, onList, by === '');
    else if (!onList) throw new Refusal(word, offset, NOT_LISTED);
  }

  /**
   * Under a guard-rail, a version counts as its program: `gcc-12` is gcc. But `killall5` is no
   * killall.
   */
  private isListed(name: string): boolean {
    if (this.strict || whyLeftOut(name) !== undefined) return this.allowed.has(name);
    return namesOf(name).some((each) => this.allowed.has(each));
  }

  private isBuiltin(name: string): boolean {
    return this.strict ? this.strict.isBuiltin(name) : ANY_BUILTINS.has(name);
  }

  /**
   * @returns the name that a path stands for; undefined for a program of the session's own, which a
   *   guard-rail lets pass
   */
  private programOf(word: string, node: CommandArgument): string | undefined {
    const name = word.slice(word.lastIndexOf('/') + 1);
    if (this.strict) {
      if (this.allowed.has(word) || this.strict.isImagePath(word)) return name;
      throw this.refusal(word, node.pos, "under a strict list a path must lead straight into the image's bin directories");
    }
    return isOwnPath(word) ? undefined : name;
  }

  private unset(args: readonly CommandArgument[]): void {
    for (const arg of args) {
      const name = literalValue(arg);
      if (name !== undefined) this.names.unset(name, this.offsetOf(arg.pos));
    }
  }

  private deeper(node: SyntaxNode, quotesUnsure: boolean, visit: () => void): void {
    if (this.depth >= MAX_SUBSTITUTION_DEPTH)
      throw this.refusal('text' in node ? node.text : '', node.pos, 'expansions are nested too deep');
    const { quotesUnsure: outerQuotes, origin } = this;
    this.depth++;
    this.quotesUnsure = quotesUnsure;
    if ('script' in node && node.script?.source !== undefined) this.origin ??= node.pos;
    visit();
    this.depth--;
    this.quotesUnsure = outerQuotes;
    this.origin = origin;
  }

  private offsetOf(pos: number): number {
    return this.origin ?? pos;
  }

  private refusal(word: string, pos: number, reason: string): Refusal {
    return new Refusal(word, this.offsetOf(pos), reason);
  }
}
