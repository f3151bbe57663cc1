import { once } from 'node:events';
import { WebSocket } from 'ws';
import { wellFormed } from '../well-formed';
import { eventually } from './processes';
import type { Client } from './service';

/** A client of a terminal. It keeps what was on the screen, and the messages it received. */
export class Terminal {
  screen = '';
  /** The number of bytes received. */
  received = 0;
  readonly messages: Record<string, unknown>[] = [];
  closed: { code: number } | undefined;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        this.screen += data.toString('latin1');
        this.received += data.length;
      } else this.messages.push(wellFormed(JSON.parse(data.toString()) as Record<string, unknown>));
    });
    socket.on('close', (code) => (this.closed = { code }));
    socket.on('error', () => undefined);
  }

  static async open(client: Client, session: string, query = '', headers: Record<string, string> = client.headers): Promise<Terminal> {
    const url = `${client.url.replace('http', 'ws')}/sessions/${encodeURIComponent(session)}/terminal${query}`;
    const terminal = new Terminal(new WebSocket(url, { headers }));
    await once(terminal.socket, 'open');
    await terminal.until('it is told', () => terminal.messages.length > 0);
    return terminal;
  }

  /** @returns the status and the code of a refused upgrade */
  static async refused(client: Client, path: string, headers: Record<string, string> = client.headers): Promise<[number, string]> {
    const socket = new WebSocket(`${client.url.replace('http', 'ws')}${path}`, { headers });
    return new Promise((resolve, reject) => {
      socket.on('error', () => undefined);
      socket.on('open', () => reject(new Error('it opened')));
      socket.on('unexpected-response', (_request, response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve([response.statusCode!, (JSON.parse(text) as { code: string }).code]));
      });
    });
  }

  get id(): string {
    return this.messages[0]!.terminal as string;
  }

  type(text: string): void {
    this.socket.send(Buffer.from(text));
  }

  tell(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async until(what: string, check: () => boolean): Promise<void> {
    try {
      await eventually(what, async () => check());
    } catch (error) {
      throw new Error(`${String(error)}; on the screen: ${JSON.stringify(this.screen.slice(-500))}`, { cause: error });
    }
  }

  shows(pattern: RegExp): Promise<void> {
    return this.until(`the screen shows ${pattern}`, () => pattern.test(this.screen));
  }

  async close(): Promise<void> {
    this.socket.terminate();
    await this.until('it is closed', () => this.closed !== undefined);
  }
}
