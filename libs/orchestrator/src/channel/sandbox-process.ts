import type { Duplex } from 'node:stream';

/** A process in a sandbox. A channel talks to the agent over its stdin and stdout. */
export interface SandboxProcess {
  /**
   * Its stdin and stdout. Destroying the stream closes the process's stdin. Ending it does so too,
   * if the runtime can: Kubernetes servers before 1.30 cannot.
   */
  readonly stream: Duplex;
  /**
   * Settles when the stream has ended; never rejects. `exitCode` is null if the runtime could not
   * be asked. `stderr` is the last 2 KiB: for the log, and to recognize a missing interpreter.
   */
  readonly ended: Promise<{ exitCode: number | null; stderr: string }>;
}
