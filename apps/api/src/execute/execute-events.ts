import type { ExecuteExit, ExecuteWatcher } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { EventStream } from '../request/event-stream';

/**
 * Answers with the events of a command: `start`, then `stdout` and `stderr`, and last `exit` or
 * `error`. A failure before the start is an answer with its own status instead.
 */
export async function sendExecution(response: Response, execute: (watcher: ExecuteWatcher) => Promise<ExecuteExit>): Promise<void> {
  let events: EventStream | undefined;
  try {
    const exit = await execute({
      started: (start) => {
        events = new EventStream(response);
        void events.sendEvent('start', start);
      },
      output: (stream, data) => events?.sendEvent(stream, { data }),
    });
    void events?.sendEvent('exit', exit);
    events?.endStream();
  } catch (exception) {
    if (events === undefined) throw exception;
    events.sendProblem(exception);
  }
}
