import type { ChangeWatcher, WatchEnd } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { EventStream } from '../../request/event-stream';

/**
 * Answers with changes as events: `ready`, then `change` and `lost`, and last `end` or `error`. If
 * `watch` fails before the directory is watched, the answer has its own status instead of an event.
 */
export async function sendChanges(response: Response, watch: (watcher: ChangeWatcher) => Promise<WatchEnd>): Promise<void> {
  let events: EventStream | undefined;
  try {
    const reason = await watch({
      ready: () => {
        events = new EventStream(response);
        return events.sendEvent('ready', {});
      },
      change: (change) => events?.sendEvent('change', change),
      lost: (lost) => events?.sendEvent('lost', lost),
    });
    events ??= new EventStream(response);
    void events.sendEvent('end', { reason });
    events.endStream();
  } catch (exception) {
    if (events === undefined) throw exception;
    events.sendProblem(exception);
  }
}
