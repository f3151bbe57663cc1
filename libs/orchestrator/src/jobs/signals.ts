import { constants } from 'node:os';

/** The signals that a caller may send to a job. */
export const JOB_SIGNALS = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTERM',
  'SIGCONT',
  'SIGSTOP',
  'SIGTSTP',
] as const satisfies readonly NodeJS.Signals[];

/**
 * Reads a signal as kill(1) reads its argument: a name in any case, with or without `SIG`, or the
 * number.
 * @returns the signal's number; null if it is not in JOB_SIGNALS
 */
export function signalNumber(given: unknown): number | null {
  const text = typeof given === 'number' ? String(given) : given;
  if (typeof text !== 'string') return null;
  const name = text.toUpperCase().replace(/^(?:SIG)?/, 'SIG');
  const signal = JOB_SIGNALS.find((each) => each === name || String(constants.signals[each]) === text);
  return signal === undefined ? null : constants.signals[signal];
}
