import { forEachChild, type Command, type CommandArgument, type ParsedScript, type Redirect, type SyntaxNode } from 'unbash';
import { isBashOnlyCall, SPECIAL_BUILTINS } from './bash-only-builtins';
import { handsOnTo } from './handing-on';
import type { ParsedCommand } from './parsed-command';
import { literalValue } from './words';

/**
 * Finds what only bash does as the author means it. Each entry was tried in dash 0.5.12 and bash
 * 5.2. An entry is here if the output, the files or the success differ. Error texts do not count,
 * nor which number above 0 an error's exit code is.
 */

/** Variables that bash sets and dash does not. $LINENO is empty in `dash -c`. */
const BASH_VARIABLE =
  /^(?:BASH\w*|COMP_\w+|_|RANDOM|SRANDOM|SECONDS|EPOCHSECONDS|EPOCHREALTIME|LINENO|PIPESTATUS|FUNCNAME|GROUPS|E?UID|HOSTNAME|HOSTTYPE|MACHTYPE|OSTYPE|SHELL|SHLVL|SHELLOPTS|DIRSTACK|REPLY|MAPFILE|COPROC|HISTCMD|OPTERR|TIMEFORMAT)$/;

/**
 * bash expands `~` in any word that looks like an assignment, such as `make prefix=~/x`, and
 * expands `~+` and `~-`.
 */
const BASH_TILDE = /^~[-+](?:\/|$)|^[A-Za-z_]\w*=(?:[^'"$`\\]*:)?~/;

const NAME = /^[A-Za-z_]\w*$/;
/** A number or a variable in dash's arithmetic. dash lacks `16#ff`, `a[1]` and `"x"`. */
const OPERAND_OF_BOTH = /^(?:\d+|0[xX][\da-fA-F]+|\$?[A-Za-z_]\w*|\$[\d?#$!])$/;
/** The path of an image's program. A file elsewhere may lack `#!`; then the shell reads it. */
const IMAGE_PROGRAM = /^\/(?:usr\/(?:local\/)?)?s?bin\/[^/]+$/;
const PLAIN_WORD = /^[\w.+/,:@%-]+$/;

/** The place of a node in the script. */
interface Place {
  /** The text that the node's positions refer to. */
  readonly source: string;
  readonly inFunction: boolean;
}

type Rules = { readonly [Type in SyntaxNode['type']]?: (node: Extract<SyntaxNode, { type: Type }>, place: Place) => boolean };

const always = (): boolean => true;

/** The syntax that only bash reads. Both shells read everything else alike. */
const SYNTAX: Rules = {
  // `[[ … ]]`, `((…))`, `for ((…))`, `select`, `coproc`, `time`: dash lacks these keywords.
  TestCommand: always,
  ArithmeticCommand: always,
  ArithmeticFor: always,
  Select: always,
  Coproc: always,
  Time: always,
  // `{a,b}` `{1..3}` `!(a)` `$'…'` `$"…"`: dash takes them literally.
  BraceExpansion: always,
  ExtendedGlob: always,
  AnsiCQuoted: always,
  LocaleString: always,
  // `<<<` `<(…)` `>(…)` `a=(…)`: syntax errors in dash.
  HereString: always,
  ProcessSubstitution: always,
  ArrayValue: always,
  // `${x/a/b}` `${x:1:2}` `${x^^}` `${x@Q}` `${!x*}`: bad substitutions in dash.
  Replace: always,
  Slice: always,
  CaseModification: always,
  Transform: always,
  Names: always,
  Unknown: always,

  // The parser cannot read it. bash may know it all the same, and bash's error message is the best.
  Script: (node) => (node.errors?.length ?? 0) > 0,
  // `|&`
  Pipeline: (node) => node.operators.includes('|&') || node.prefixes.length > 1,
  // `;&` `;;&`
  CaseItem: (node) => node.terminator !== undefined && node.terminator !== ';;',
  // `function f`, and names such as `my-f`
  Function: (node, { source }) => !NAME.test(node.name.text) || (source.startsWith('function', node.pos) && node.name.pos > node.pos),
  // `a[0]=x` `a+=x`
  Assignment: (node) => node.index !== undefined || node.append === true,
  Word: (node) => BASH_TILDE.test(node.text),
  // dash knows no characters, only bytes, and no `[^a]`.
  Glob: (node) => node.kind !== 'star',
  SimpleExpansion: (node) => BASH_VARIABLE.test(node.text.slice(1)),
  // `${#x}` counts bytes in dash; `${!x}` `${a[0]}`
  ParameterExpansion: (node) => node.prefix !== undefined || node.index !== undefined || BASH_VARIABLE.test(node.parameter),
  // `$[1+1]`, and text that only the running shell can read
  ArithmeticExpansion: (node) => node.text.startsWith('$[') || node.expression === undefined,
  ArithmeticBinary: (node) => node.operator === '**' || node.operator === ',',
  // dash reads `++x` as `+(+x)`.
  ArithmeticUnary: (node) => node.operator === '++' || node.operator === '--',
  ArithmeticWord: (node) =>
    node.parts === undefined ? !OPERAND_OF_BOTH.test(node.value) || BASH_VARIABLE.test(node.value) : /['"[#]/.test(node.value),
  // `$(<file)`; and bash 5.3's `${ …; }`
  CommandExpansion: (node) => node.text.startsWith('${') || (node.script !== undefined && isFileOnly(node.script)),
  Redirect: isBashOnlyRedirect,
  Command: isBashOnlyCommand,
};

/** Finds `&>` `>&file` `{fd}>` `10>`, a pattern for a file's name, and bash's own files. */
function isBashOnlyRedirect({ operator, descriptor, target }: Redirect): boolean {
  if (operator === '&>' || operator === '&>>') return true;
  if (descriptor && (descriptor.type !== 'FileDescriptor' || descriptor.value > 9)) return true;
  if (!target) return false;
  if (operator === '>&' || operator === '<&') return !/^(?:\d|-)$/.test(target.text) && literalValue(target) !== undefined;
  return /^"?\/dev\/(?:tcp|udp)\//.test(target.text) || (target.parts?.some((part) => part.type === 'Glob') ?? false);
}

function isBashOnlyCommand(node: Command, { inFunction }: Place): boolean {
  let words: readonly CommandArgument[] = node.name ? [node.name, ...node.args] : [];
  const first = node.name && literalValue(node.name);
  if (first !== undefined && SPECIAL_BUILTINS.has(first)) {
    if (node.prefix.length > 0 || node.redirects.length > 0) return true;
    if (first === 'return' && !inFunction) return true;
  }
  while (words.length > 0) {
    const [word, ...args] = words as [CommandArgument, ...CommandArgument[]];
    const name = literalValue(word);
    // A name that only the running shell knows may be the name of a script without `#!`.
    if (name === undefined || (name.includes('/') && !IMAGE_PROGRAM.test(name))) return true;
    if (isBashOnlyCall(name, args)) return true;
    const handedOn = handsOnTo(name, args);
    words = handedOn === undefined ? [] : args.slice(handedOn);
  }
  return false;
}

function isFileOnly({ commands: [statement, ...more] }: ParsedScript): boolean {
  if (!statement || more.length > 0 || statement.command.type !== 'Command') return false;
  const { name, prefix } = statement.command;
  return name === undefined && prefix.length > 0 && prefix.every((part) => part.type === 'Redirect');
}

/**
 * The parser reads a script again for each nested substitution, so deeper ones are not searched.
 */
const MAX_DEPTH = 24;
const DEEPER: ReadonlySet<SyntaxNode['type']> = new Set([
  'CommandExpansion',
  'ProcessSubstitution',
  'ArithmeticCommandExpansion',
  'ParameterExpansion',
  'ArithmeticExpansion',
  'HereDocBody',
]);

/**
 * Whether bash has to run the command so that it does what it says. True also if the command cannot
 * be read.
 */
export function needsBash(command: ParsedCommand): boolean {
  try {
    return new Search(command.text).finds(command.script);
  } catch {
    return true;
  }
}

class Search implements Place {
  inFunction = false;
  private found = false;
  private depth = 0;

  constructor(public source: string) {}

  finds(script: ParsedScript): boolean {
    this.visit(script);
    return this.found;
  }

  private readonly visit = (node: SyntaxNode): void => {
    if (this.found || (node.type === 'Word' && PLAIN_WORD.test(node.text))) return;
    const rule = SYNTAX[node.type] as ((node: SyntaxNode, place: Place) => boolean) | undefined;
    if (rule?.(node, this)) this.found = true;
    else if (node.type === 'Function') this.within({ inFunction: true }, node);
    else if (node.type === 'Script') this.within({ source: node.source ?? this.source }, node);
    else if (DEEPER.has(node.type)) this.within({ depth: this.depth + 1 }, node);
    else forEachChild(node, this.visit);
  };

  /** Visits the children of `node`, which stand in another place than the node. */
  private within(place: Partial<Pick<Search, 'source' | 'inFunction'>> & { depth?: number }, node: SyntaxNode): void {
    const { source, inFunction, depth } = this;
    Object.assign(this, place);
    if (this.depth > MAX_DEPTH) this.found = true;
    else forEachChild(node, this.visit);
    Object.assign(this, { source, inFunction, depth });
  }
}
