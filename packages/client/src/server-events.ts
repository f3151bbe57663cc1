import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { brokenOff, errorOf } from './errors.ts';

/** One Server-Sent Event of the API. Its data is JSON. */
export interface ServerEvent {
  event: string;
  id: string | undefined;
  data: unknown;
}

/**
 * Reads the events of an answer as they come. Ending the iteration ends the connection. Throws the
 * API's error if the API sends an `error` event, and a ConnectionError if the answer breaks off.
 * @param last the name of the event after which nothing comes
 * @param signal the caller's, if the request has one
 */
export async function* serverEvents(response: Response, last: string, signal?: AbortSignal): AsyncGenerator<ServerEvent, void, void> {
  let found: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => found.push(event) });
  const decoder = new TextDecoder();
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw brokenOff(cause, signal);
      });
      if (done) throw brokenOff(undefined, signal);
      parser.feed(decoder.decode(value, { stream: true }));
      for (const message of found) {
        const event = eventOf(message);
        yield event;
        if (event.event === last) return;
      }
      found = [];
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function eventOf({ event = 'message', id, data: text }: EventSourceMessage): ServerEvent {
  const data = JSON.parse(text) as unknown;
  if (event === 'error') throw errorOf((data as { status?: number }).status ?? 500, data);
  return { event, id, data };
}
