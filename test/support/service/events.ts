import { request, type IncomingMessage } from 'node:http';
import { wellFormed } from '../well-formed';
import type { Client } from './service';

export interface ServerEvent {
  event: string;
  id?: string;
  data: Record<string, unknown>;
}

/**
 * Reads an answer of Server-Sent Events, event by event. Reads nothing ahead, beyond what Node
 * buffers by itself.
 */
export class Events {
  private text = '';
  comments = 0;

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
  }

  get status(): number {
    return this.response.statusCode!;
  }

  static open(client: Client, method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Events> {
    return new Promise((resolve, reject) => {
      const call = request(`${client.url}${path}`, {
        method,
        agent: false,
        headers: {
          ...client.headers,
          Accept: 'text/event-stream',
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
      });
      call.once('response', (response) => resolve(new Events(response)));
      call.once('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  static execute(client: Client, session: string, command: string, more: object = {}): Promise<Events> {
    return Events.open(client, 'POST', '/execute', { session_id: session, command, ...more });
  }

  /** @returns the next event; null at the end of the answer. Rejects if the connection is cut. */
  async next(): Promise<ServerEvent | null> {
    for (;;) {
      const end = this.text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.text.slice(0, end);
        this.text = this.text.slice(end + 2);
        if (block.startsWith(':')) this.comments++;
        else return parse(block);
        continue;
      }
      const chunk = await this.read();
      if (chunk === null) return null;
      this.text += chunk;
    }
  }

  async all(): Promise<ServerEvent[]> {
    const events: ServerEvent[] = [];
    for (let event = await this.next(); event !== null; event = await this.next()) events.push(event);
    return events;
  }

  /** Goes away, as a client. */
  close(): void {
    this.response.on('error', () => undefined).destroy();
  }

  private read(): Promise<string | null> {
    const { response } = this;
    return new Promise((resolve, reject) => {
      const take = (): void => {
        const chunk = response.read() as string | null;
        if (chunk !== null) done(() => resolve(chunk));
        else if (response.readableEnded) done(() => resolve(null));
      };
      const end = (): void => done(() => resolve(null));
      const cut = (error?: Error): void => done(() => reject(error ?? new Error('the connection was cut')));
      const done = (settle: () => void): void => {
        response.off('readable', take).off('end', end).off('error', cut).off('close', cut);
        settle();
      };
      response.on('readable', take).on('end', end).on('error', cut).on('close', cut);
      take();
    });
  }
}

function parse(block: string): ServerEvent {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const),
  ) as Record<string, string>;
  return {
    event: fields.event!,
    ...(fields.id === undefined ? {} : { id: fields.id }),
    data: wellFormed(JSON.parse(fields.data!) as Record<string, unknown>),
  };
}

/** @returns everything that one stream said */
export function textOf(events: readonly ServerEvent[], stream: string): string {
  return events
    .filter(({ event }) => event === stream)
    .map(({ data }) => data.data as string)
    .join('');
}
