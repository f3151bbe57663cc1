import type { Function as FunctionNode, HereDoc, ParameterExpansionPart, Redirect, SyntaxNode } from 'unbash';

export type Shell = 'sh' | 'bash';

/**
 * Syntax that dash, busybox ash and bash read alike. What is neither here nor in BASH_ONLY is
 * refused.
 */
const PORTABLE: ReadonlySet<SyntaxNode['type']> = new Set([
  'Script',
  'Statement',
  'AndOr',
  'Pipeline',
  'Negation',
  'Command',
  'Assignment',
  'If',
  'Elif',
  'While',
  'For',
  'Case',
  'CaseItem',
  'Subshell',
  'BraceGroup',
  'CompoundList',
  'Redirected',
  'Function',
  'Word',
  'Literal',
  'Glob',
  'SingleQuoted',
  'DoubleQuoted',
  'SimpleExpansion',
  'ParameterExpansion',
  'Default',
  'Remove',
  'CommandExpansion',
  'ArithmeticExpansion',
  'ArithmeticBinary',
  'ArithmeticUnary',
  'ArithmeticTernary',
  'ArithmeticGroup',
  'ArithmeticWord',
  'Redirect',
  'FileDescriptor',
  'HereDoc',
  'HereDocDelimiter',
  'HereDocBody',
]);

const BASH_ONLY: ReadonlySet<SyntaxNode['type']> = new Set([
  'Time',
  'TestCommand',
  'TestUnary',
  'TestBinary',
  'TestLogical',
  'TestNot',
  'TestGroup',
  'ArithmeticCommand',
  'ArithmeticFor',
  'HereString',
  'ProcessSubstitution',
  'AnsiCQuoted',
  'BraceExpansion',
  'ArrayValue',
  'Replace',
  'CaseModification',
  'Slice',
]);

const NAME = '[A-Za-z_][A-Za-z0-9_]*';
/**
 * The text that may follow an operator in `${name…}`: no quote, brace or substitution, because
 * shells nest them differently. The end of a name is fixed, or each name could be read in two ways.
 */
const OPERAND = `(?:[\\w .,:/@%+=*?~-]|\\$${NAME}(?!\\w))*`;
const PORTABLE_PARAMETER = new RegExp(`^\\$\\{(?:#?(?:${NAME}|[0-9@*#?$!-])|(?:${NAME}|[0-9@*])(?::?[-=+?]|##?|%%?)${OPERAND})\\}$`);
const BASH_PARAMETER = new RegExp(
  `^\\$\\{(?:#?${NAME}\\[(?:[@*]|\\d+)\\]|(?:${NAME}(?:\\[(?:[@*]|\\d+)\\])?|[0-9@*])(?:(?::?[-=+?]|[#%/,^]{1,2})${OPERAND}|: ?-?\\d+(?:: ?-?\\d+)?)?)\\}$`,
);

/** Control characters but tab and newline, and halves of surrogate pairs. */
// oxlint-disable-next-line no-control-regex
const UNSAFE_CHARACTER = /[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]/u;
const FUNCTION_NAME = new RegExp(`^${NAME}$`);
const PLAIN_DELIMITER = /^(?:\w+|'\w+'|"\w+"|\\\w+)$/;
/** Inside backquotes: no quote, no backslash and no further substitution. */
const PLAIN_BACKQUOTES = /^`[\w ./,:;=+%@|*?\t-]*`$/;

export interface Objection {
  readonly offset: number;
  readonly word: string;
  readonly reason: string;
}

const DIFFERENT = 'shells read this differently, so a strict list cannot allow it';

/** Objects to characters of the text, whatever the parser makes of them. */
export function textObjection(source: string): Objection | undefined {
  const unsafe = UNSAFE_CHARACTER.exec(source);
  if (unsafe) return { offset: unsafe.index, word: unsafe[0], reason: `a control character; ${DIFFERENT}` };
  const joined = /(?<![ \t])\\\n/.exec(source);
  if (joined) return { offset: joined.index, word: '\\', reason: `a line continued in the middle of a word; ${DIFFERENT}` };
  return undefined;
}

/**
 * Says why shells may read `node` differently, or may run something that no parser can see in it.
 * @returns undefined if neither is so
 */
export function syntaxObjection(node: SyntaxNode, source: string, shell: Shell): string | undefined {
  if (!PORTABLE.has(node.type)) {
    if (!BASH_ONLY.has(node.type)) return DIFFERENT;
    if (shell !== 'bash') return 'only bash reads this, and sh may be another shell';
  }
  return isPlain(node, source, shell) ? undefined : DIFFERENT;
}

function isPlain(node: SyntaxNode, source: string, shell: Shell): boolean {
  switch (node.type) {
    case 'Pipeline':
      return node.prefixes.length <= 1 && (shell === 'bash' || !node.operators.includes('|&'));
    case 'CaseItem':
      return node.terminator === undefined || node.terminator === ';;' || shell === 'bash';
    case 'Subshell':
      return source[node.pos + 1] !== '(';
    case 'Function':
      return isPlainFunction(node, source, shell);
    case 'Assignment':
      return !node.index && !(node.append && shell === 'sh');
    case 'ArrayValue':
      return node.elements.every((element) => !element.text.startsWith('['));
    case 'CommandExpansion':
      return node.text.startsWith('`') ? PLAIN_BACKQUOTES.test(node.text) : /^\$\((?!\()/.test(node.text);
    case 'ArithmeticExpansion':
      return node.text.startsWith('$((');
    case 'ParameterExpansion':
      return isPlainParameter(node, shell);
    case 'Redirect':
      return isPlainRedirect(node, source, shell);
    case 'HereDoc':
      return isPlainHereDoc(node);
    default:
      return true;
  }
}

function isPlainFunction(node: FunctionNode, source: string, shell: Shell): boolean {
  const usesKeyword = source.startsWith('function', node.pos) && node.name.pos > node.pos;
  return FUNCTION_NAME.test(node.name.text) && (shell === 'bash' || !usesKeyword);
}

function isPlainParameter(node: ParameterExpansionPart, shell: Shell): boolean {
  return PORTABLE_PARAMETER.test(node.text) || (shell === 'bash' && BASH_PARAMETER.test(node.text));
}

function isPlainRedirect(node: Redirect, source: string, shell: Shell): boolean {
  const descriptor = node.descriptor;
  if (descriptor && (descriptor.type !== 'FileDescriptor' || descriptor.end - descriptor.pos > 1)) return false;
  if (node.operator === '&>' || node.operator === '&>>') return shell === 'bash';
  const duplicates = node.operator === '>&' || node.operator === '<&';
  return !duplicates || /^(?:\d|-)$/.test(node.target ? source.slice(node.target.pos, node.target.end) : '');
}

/** Whether a here-document ends, has a plain delimiter and joins no lines. */
function isPlainHereDoc({ delimiter, body, closing }: HereDoc): boolean {
  if (!delimiter || !closing || !PLAIN_DELIMITER.test(delimiter.text)) return false;
  return delimiter.quoted || !body.text.includes('\\\n');
}
