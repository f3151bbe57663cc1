import type { CommandArgument, For, HereDoc, ParameterExpansionPart, SyntaxNode, Word, WordPart } from 'unbash';
import { Refusal } from './refusal';
import { ANY_BUILTINS, BASH_BUILTINS, COMMON_BUILTINS } from './shell-builtins';
import { builtinObjection, optionObjection } from './strict-builtins';
import { type Shell, syntaxObjection, textObjection } from './strict-syntax';
import { isProtectedVariable, NumericVariables, PROTECTED_VARIABLE } from './strict-variables';

const IMAGE_PATH = /^\/(?:usr\/(?:local\/)?)?s?bin\/[^/]+$/;
const RUNS_ELSEWHERE = new Set(['command_not_found_handle']);
const NOT_A_NUMBER = 'bash runs the substitutions that a value evaluated as arithmetic holds, and this one is not only given numbers here';

/**
 * Numbers, operators and variables. `$#` and `$?` may stand here, `$1` and substitutions may not.
 */
const ARITHMETIC = /(?<name>\$\{?[A-Za-z_]\w*\}?|[A-Za-z_]\w*)|0[xX][0-9a-fA-F]+|\d+(?![\w#])|\$[#?]|[\s+\-*/%<>=!&|^~?:,;()]/y;
const ARITHMETIC_TARGET = /(?<!\w)([A-Za-z_]\w*)\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)/g;
const ARITHMETIC_TEST = /^-(?:eq|ne|lt|le|gt|ge)$/;

/** The rules of a strict list besides the names on it. */
export class StrictRules {
  private readonly numbers: NumericVariables;
  private hereDocs = { line: -1, next: -1 };

  /** @param environment the names of the variables that the request sets */
  constructor(
    private readonly source: string,
    private readonly shell: Shell,
    environment: readonly string[],
  ) {
    this.numbers = new NumericVariables(environment);
    const variable = environment.find(isProtectedVariable);
    if (variable !== undefined) throw new Refusal(variable, 0, PROTECTED_VARIABLE);
    const objection = textObjection(source);
    if (objection) throw new Refusal(objection.word, objection.offset, objection.reason);
  }

  isBuiltin(name: string): boolean {
    return (this.shell === 'bash' ? BASH_BUILTINS : COMMON_BUILTINS).has(name);
  }

  isImagePath(path: string): boolean {
    return IMAGE_PATH.test(path);
  }

  /**
   * Checks one node. Its children are visited on their own.
   * @throws Refusal
   */
  visit(node: SyntaxNode): void {
    const objection = syntaxObjection(node, this.source, this.shell);
    if (objection !== undefined) throw this.refusal(node, objection);
    switch (node.type) {
      case 'Assignment':
        return this.assign(node, node.name, node.value.type === 'ArrayValue' ? undefined : numericSources(node.value));
      case 'For':
        return this.assign(node.name, node.name.text, loopSources(node));
      case 'ParameterExpansion':
        return this.parameter(node);
      case 'ArithmeticExpansion':
        return this.arithmetic(node.text.slice(3, -2), node.pos + 3);
      case 'ArithmeticCommand':
        return this.arithmetic(node.body, node.pos + 2);
      case 'ArithmeticFor':
        for (const part of [node.initialize, node.test, node.update])
          if (part) this.arithmetic(this.source.slice(part.pos, part.end), part.pos);
        return;
      case 'TestUnary':
        if (node.operator === '-v' || node.operator === '-R') throw this.refusal(node, 'bash evaluates the subscript in its operand');
        return;
      case 'TestBinary':
        if (!ARITHMETIC_TEST.test(node.operator)) return;
        for (const operand of [node.left, node.right]) this.arithmetic(operand.text.replace(/^"(.*)"$/s, '$1'), operand.pos);
        return;
      case 'Function':
        return this.defines(node.name);
      case 'HereDoc':
        return this.hereDoc(node);
      default:
    }
  }

  builtin(name: string, word: CommandArgument, args: readonly CommandArgument[]): void {
    const objection = builtinObjection(name, args, this.numbers);
    if (objection !== undefined) throw this.refusal(word, objection);
  }

  program(name: string, word: CommandArgument, args: readonly CommandArgument[]): void {
    const objection = optionObjection(name.slice(name.lastIndexOf('/') + 1), args);
    if (objection !== undefined) throw this.refusal(word, objection);
  }

  finish(): void {
    this.numbers.finish();
  }

  private assign(node: SyntaxNode, name: string, from: readonly string[] | undefined): void {
    if (isProtectedVariable(name)) throw new Refusal(name, node.pos, PROTECTED_VARIABLE);
    this.numbers.assign(name, from);
  }

  private parameter(node: ParameterExpansionPart): void {
    if (node.operation?.type !== 'Default' || !node.operation.operator.endsWith('=')) return;
    this.assign(node, node.parameter, /^\d+$/.test(node.operation.operand.text) ? [] : undefined);
  }

  private arithmetic(text: string, offset: number): void {
    for (let index = 0; index < text.length; index = ARITHMETIC.lastIndex) {
      ARITHMETIC.lastIndex = index;
      const match = ARITHMETIC.exec(text);
      if (!match) throw new Refusal(text, offset, NOT_A_NUMBER);
      const name = match.groups?.name?.replace(/[${}]/g, '');
      if (name === undefined) continue;
      if (isProtectedVariable(name)) throw new Refusal(name, offset + index, PROTECTED_VARIABLE);
      this.numbers.use(name, offset + index, NOT_A_NUMBER);
    }
    for (const [, name] of text.matchAll(ARITHMETIC_TARGET)) if (name !== undefined) this.numbers.assign(name, []);
  }

  private defines(name: Word): void {
    if (ANY_BUILTINS.has(name.text)) throw this.refusal(name, 'under a strict list a function may not take the name of a builtin');
    if (RUNS_ELSEWHERE.has(name.text)) throw this.refusal(name, 'the shell calls this function by itself');
  }

  /**
   * Checks where a here-document begins. That has to be the line after its operator, or the end of
   * the last one on the same line.
   */
  private hereDoc({ pos, delimiter, body, closing }: HereDoc): void {
    const line = this.source.indexOf('\n', delimiter?.end ?? pos) + 1;
    const start = line === this.hereDocs.line ? this.hereDocs.next : line;
    if (body.pos !== start) throw new Refusal('<<', pos, 'shells differ in where the text of this here-document begins');
    const end = closing?.end ?? body.end;
    this.hereDocs = { line, next: this.source[end] === '\n' ? end + 1 : end };
  }

  private refusal(node: SyntaxNode, reason: string): Refusal {
    return new Refusal(this.source.slice(node.pos, node.end), node.pos, reason);
  }
}

/** @returns the variables from which a value takes its digits; undefined if it may be no number */
function numericSources(word: Word): string[] | undefined {
  if (/^-?\d+$/.test(word.text)) return [];
  const sources: string[] = [];
  const isNumeric = (part: WordPart): boolean => {
    if (part.type === 'ArithmeticExpansion') return true;
    if (part.type === 'DoubleQuoted') return part.parts.every(isNumeric);
    const name = /^\$\{?([A-Za-z_]\w*)\}?$/.exec(part.text)?.[1];
    if (name !== undefined) sources.push(name);
    return name !== undefined || /^(?:-?\d+|\$[#?$!]|\$\{#\w+\})$/.test(part.text);
  };
  return word.parts?.every(isNumeric) ? sources : undefined;
}

function loopSources(node: For): string[] | undefined {
  const sources = node.wordlist?.map(numericSources);
  return sources?.every((names) => names !== undefined) ? sources.flat() : undefined;
}
