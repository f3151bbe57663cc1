/** Turns Ctrl-C into an AbortSignal, which ends the call and with it the remote command. */
export function interruption(): { signal: AbortSignal; interrupted: () => boolean } {
  const controller = new AbortController();
  const end = (): void => {
    if (controller.signal.aborted) process.exit(130); // the second time, without waiting
    controller.abort(new Error('Interrupted.'));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, end);
  return { signal: controller.signal, interrupted: () => controller.signal.aborted };
}
