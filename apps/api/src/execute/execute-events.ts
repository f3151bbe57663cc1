import type { ExecuteExit, ExecuteWatcher } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { logFailure } from '../errors/log-failure';
import { toProblem, toSandboxError } from '../errors/problem';
import { EventStream } from '../http/event-stream';

/**
 * Answers with the events of a command: `start`, `stdout` and `stderr`, and last `exit` or `error`. What fails before the start is an
 * answer with a status of its own.
 */
export async function sendExecution(response: Response, execute: (watcher: ExecuteWatcher) => Promise<ExecuteExit>): Promise<void> {
  let events: EventStream | undefined;
  try {
    const exit = await execute({
      started: (start) => {
        events = new EventStream(response);
        void events.send('start', start);
      },
      output: (stream, data) => events?.send(stream, { data }),
    });
    void events?.send('exit', exit);
  } catch (exception) {
    if (events === undefined) throw exception;
    const error = toSandboxError(exception);
    logFailure(error);
    void events.send('error', toProblem(error, String(response.req.id)));
  }
  events?.end();
}
