import { answerOf, type CallOptions, type Connection } from './connection.ts';

export interface TerminalOptions extends CallOptions {
  cols?: number;
  rows?: number;
  /** What runs in it. Default: a shell. */
  command?: string;
  /** A terminal whose connection broke, and the number of bytes that were received from it. */
  resume?: { terminal: string; since: number };
}

/** Terminals of a sandbox, over WebSockets. */
export class Terminals {
  constructor(
    private readonly connection: Connection,
    private readonly sandboxId: string,
  ) {}

  /**
   * Gets the URL of a new terminal. It opens one, once, within 30 seconds, without a credential.
   * Binary frames are bytes, both ways. Text frames are JSON.
   */
  async url({ cols, rows, command, resume, signal }: TerminalOptions = {}): Promise<string> {
    const params = { path: { session_id: this.sandboxId } };
    const call = this.connection.api.POST('/sessions/{session_id}/terminal', { params, signal });
    const url = new URL((await answerOf(call)).url, this.connection.url);
    url.protocol = url.protocol.replace('http', 'ws');
    const query = { cols, rows, command, ...resume };
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    return url.href;
  }
}
