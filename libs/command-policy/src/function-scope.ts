import type { CalledNames } from './called-names';
import { NOT_LISTED, Refusal } from './refusal';

interface Call {
  readonly offset: number;
  /** Nothing but a function can answer this call: no program or builtin of the name may run. */
  readonly required: boolean;
}

const NOT_CERTAIN = 'it is not on the list, and the script has not certainly defined a function of this name by then';

/**
 * What functions a script has certainly defined at the point its reader has come to. A definition inside something that may not run,
 * or that runs in another process, counts only there. A body is judged where it is called, as it may name functions that are
 * defined after it.
 */
export class FunctionScope implements CalledNames {
  private certain = new Set<string>();
  private log: string[] = [];
  private loopDepth = 0;
  private body: { readonly calls: Map<string, Call> } | undefined;
  /** Names unset in a loop or a body: when that happens no reader of the text can say. */
  private readonly unstable = new Set<string>();
  private readonly callsOf = new Map<string, Map<string, Call>>();
  /** Functions whose calls were all found answered; emptied when the certain ones get fewer or a body changes. */
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
    // Whoever runs a body that defines this function may have it called from anywhere afterwards.
    if (this.body) for (const [callee, call] of calls) this.body.calls.set(callee, this.stricter(callee, call));
    if (!this.unstable.has(name) && !this.certain.has(name)) {
      this.certain.add(name);
      this.log.push(name);
    }
    // A later round of the loop may call it before this point of the text.
    if (this.loopDepth > 0 && !this.body) this.settle(name);
  }

  unset(name: string, offset: number): void {
    if (this.loopDepth > 0 || this.body) {
      if (this.callsOf.has(name)) throw new Refusal(name, offset, 'a function may not be unset inside a loop or another function');
      this.unstable.add(name);
    }
    if (this.certain.delete(name)) this.settled.clear();
  }

  /** @throws Refusal also if the function called would make a call that nothing answers */
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

  /** Judges the bodies too that nothing calls. */
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

  /** All that a call of `name` would call in turn must be answered by now. */
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
