/** Decides whether a script defines the names that it calls. */
export interface CalledNames {
  /** Runs `visit` for a part that may not run, or may run in another shell. */
  uncertain(visit: () => void): void;

  /** Runs `visit` for the body of a loop. */
  loop(visit: () => void): void;

  /** Notes the definition of a function. `visitBody` visits its body. */
  define(name: string, visitBody: () => void): void;

  /**
   * Notes that the script removes a function.
   * @param offset where, in UTF-16 units
   */
  unset(name: string, offset: number): void;

  /**
   * Notes a call by a name without a slash.
   * @param onList the policy's list has the name, or a builtin has it
   * @param plain a function of this name may run; not so after `command` or `exec`
   * @throws Refusal if nothing allowed can answer the call
   */
  call(name: string, offset: number, onList: boolean, plain: boolean): void;

  /**
   * Has to be called at the end of the script.
   * @throws Refusal for a call that nothing allowed can answer
   */
  finish(): void;
}
