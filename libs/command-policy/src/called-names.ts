/** Says whether a script itself defines the names that it calls. */
export interface CalledNames {
  /** Runs `visit` for a part that may not be executed, or not in this shell. */
  uncertain(visit: () => void): void;

  /** Runs `visit` for the body of a loop. */
  loop(visit: () => void): void;

  /** Takes in a function's definition; `visitBody` walks its body. */
  define(name: string, visitBody: () => void): void;

  /** The script removes the function. @param offset where, in UTF-16 units */
  unset(name: string, offset: number): void;

  /**
   * A call by a name without a slash.
   * @param onList the policy's list or a builtin answers it
   * @param plain a function may answer it; not so after `command` or `exec`
   * @throws Refusal if it is certain by now that nothing answers it
   */
  call(name: string, offset: number, onList: boolean, plain: boolean): void;

  /** To be called at the script's end. @throws Refusal for a call that nothing answers */
  finish(): void;
}
