import type { CalledNames } from './called-names';
import { NOT_LISTED, Refusal } from './refusal';

interface Call {
  readonly offset: number;
  /** Only a function may answer this call: no program or builtin of this name is allowed. */
  readonly required: boolean;
}

const NOT_CERTAIN = 'it is not on the list, and the script has not certainly defined a function of this name by then';

/**
 * Tracks which functions a script has certainly defined up to the current point. A definition
 * counts only inside its own part if that part may not run, or runs in another process. A body is
 * judged when it is called, because it may name functions that are defined later.
 */
export class FunctionScope implements CalledNames {
  private certain = new Set<string>();
  private log: string[] = [];
  private loopDepth = 0;
  private body: { readonly calls: Map<string, Call> } | undefined;
  /** Names that are unset in a loop or in a body. The text does not tell when that happens. */
  private readonly unstable = new Set<string>();
  private readonly callsOf = new Map<string, Map<string, Call>>();
  /**
   * Functions whose calls all have an answer. Cleared when fewer functions are certain or a body
   * changes.
   */
  private readonly settled = new Set<string>();

  uncertain(visit: () => void): void {
    const mark = this.log.length;
    visit();
    if (this.log.length > mark) this.settled.clear();
    for (const name of this.log.splice(mark)) this.certain.delete(name);
  }

  loop(visit: () => void): void {
    this.loopDepth++;
    this.uncertain(visit);
    this.loopDepth--;
  }

  define(name: string, visitBody: () => void): void {
    const outer = { certain: this.certain, log: this.log, body: this.body, loopDepth: this.loopDepth };
    const calls = this.callsOf.get(name) ?? new Map<string, Call>();
    this.certain = new Set(this.unstable.has(name) ? [] : [name]);
    this.log = [];
    this.body = { calls };
    this.loopDepth = 0;
    visitBody();
    Object.assign(this, outer);
    this.callsOf.set(name, calls);
    this.settled.clear();
    // A body that defines this function may run at any time. From then on, any code may call the
    // function.
    if (this.body) for (const [callee, call] of calls) this.body.calls.set(callee, this.stricter(callee, call));
    if (!this.unstable.has(name) && !this.certain.has(name)) {
      this.certain.add(name);
      this.log.push(name);
    }
    // A later round of the loop may call the function before this point of the text.
    if (this.loopDepth > 0 && !this.body) this.settle(name);
  }

  unset(name: string, offset: number): void {
    if (this.loopDepth > 0 || this.body) {
      if (this.callsOf.has(name)) throw new Refusal(name, offset, 'a function may not be unset inside a loop or another function');
      this.unstable.add(name);
    }
    if (this.certain.delete(name)) this.settled.clear();
  }

  /** @throws Refusal also if the called function would make a call that nothing answers */
  call(name: string, offset: number, onList: boolean, plain: boolean): void {
    if (!plain) {
      if (!onList) throw new Refusal(name, offset, NOT_LISTED);
      return;
    }
    const required = !onList && !this.certain.has(name);
    if (this.body) {
      this.body.calls.set(name, this.stricter(name, { offset, required }));
      return;
    }
    if (required) throw new Refusal(name, offset, this.callsOf.size > 0 ? NOT_CERTAIN : NOT_LISTED);
    if (this.callsOf.size > 0) this.settle(name);
  }

  /** Judges the bodies that nothing calls, too. */
  finish(): void {
    for (const calls of this.callsOf.values()) {
      for (const [name, call] of calls) {
        if (call.required && !this.callsOf.has(name)) throw new Refusal(name, call.offset, NOT_LISTED);
      }
    }
  }

  private stricter(name: string, call: Call): Call {
    const known = this.body?.calls.get(name);
    return known?.required ? known : call;
  }

  /** Checks every call that a call of `name` leads to: each has to have an answer by now. */
  private settle(name: string): void {
    const pending = [name];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.settled.has(next)) continue;
      this.settled.add(next);
      for (const [callee, call] of this.callsOf.get(next) ?? []) {
        if (call.required && !this.certain.has(callee)) throw new Refusal(callee, call.offset, NOT_CERTAIN);
        pending.push(callee);
      }
    }
  }
}
