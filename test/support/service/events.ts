import { createParser } from 'eventsource-parser';
import { wellFormed } from '../well-formed';
import type { Client } from './service';

export interface ServerEvent {
  event: string;
  id?: string;
  data: Record<string, unknown>;
}

/**
 * Reads an answer of Server-Sent Events, event by event, also those that a client keeps from its
 * user. Reads nothing ahead, beyond what Node buffers by itself.
 */
export class Events {
  comments = 0;
  private readonly found: ServerEvent[] = [];
  private readonly decoder = new TextDecoder();
  private readonly parser = createParser({
    onEvent: ({ event, id, data }) =>
      this.found.push({ event: event!, ...(id === undefined ? {} : { id }), data: wellFormed(JSON.parse(data) as ServerEvent['data']) }),
    onComment: () => this.comments++,
    onError: (error) => {
      throw error;
    },
  });
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(
    readonly response: Response,
    private readonly end: AbortController,
  ) {
    this.reader = response.body!.getReader() as typeof this.reader;
  }

  get status(): number {
    return this.response.status;
  }

  static async open(client: Client, method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Events> {
    const end = new AbortController();
    const json = body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
    const response = await client.send(method, path, {
      ...json,
      headers: { Accept: 'text/event-stream', ...json?.headers, ...headers },
      signal: end.signal,
    });
    return new Events(response, end);
  }

  static execute(client: Client, session: string, command: string, more: object = {}): Promise<Events> {
    return Events.open(client, 'POST', '/execute', { session_id: session, command, ...more });
  }

  /** @returns the next event; null at the end of the answer. Rejects if the connection is cut. */
  async next(): Promise<ServerEvent | null> {
    for (;;) {
      const event = this.found.shift();
      if (event !== undefined) return event;
      const { done, value } = await this.reader.read();
      if (done) return null;
      this.parser.feed(this.decoder.decode(value, { stream: true }));
    }
  }

  async all(): Promise<ServerEvent[]> {
    const events: ServerEvent[] = [];
    for (let event = await this.next(); event !== null; event = await this.next()) events.push(event);
    return events;
  }

  /** Goes away, as a client. */
  close(): void {
    this.end.abort();
  }
}

/** @returns everything that one stream said */
export function textOf(events: readonly ServerEvent[], stream: string): string {
  return events
    .filter(({ event }) => event === stream)
    .map(({ data }) => data.data as string)
    .join('');
}
