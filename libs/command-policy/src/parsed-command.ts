import { parse, type ParsedScript } from 'unbash';
import { checkLimits } from './limits';

/** A command's text and its syntax tree. The tree is built once, for every reader. */
export class ParsedCommand {
  private tree: ParsedScript | undefined;

  constructor(readonly text: string) {}

  /**
   * The parser's result. A syntax error is in its `errors`.
   * @throws Refusal if parsing would cost too much
   * @throws RangeError if the nesting is too deep for the stack
   */
  get script(): ParsedScript {
    if (!this.tree) {
      checkLimits(this.text);
      this.tree = parse(this.text);
    }
    return this.tree;
  }
}
