import type { SandboxRuntime } from '@sandbox/orchestrator';

/** A runtime for the contract, and what the contract does behind that runtime's back. */
export interface RuntimeUnderTest {
  /** Makes the runtime with these settings besides its usual ones, in the same deployment. */
  create(variables?: Record<string, string>): SandboxRuntime;
  /** Ends a session's sandbox, as a crash does. */
  kill(key: string): Promise<unknown>;
  /** Removes a session's sandbox. */
  vanish(key: string): Promise<unknown>;
  /**
   * Starts a session's sandbox again, with what is in memory lost; null: a sandbox of this runtime
   * never starts a second time.
   */
  readonly restart: ((key: string) => Promise<unknown>) | null;
  /** Whether the runtime has a place for the rules of a session's network. */
  readonly notesNetwork: boolean;
}
