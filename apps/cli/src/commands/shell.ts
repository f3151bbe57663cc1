import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from '@sandbox/client';
import { WebSocket } from 'ws';
import { note } from '../printing';
import { UsageError } from '../usage-error';

const RECONNECTS = 20;
const RECONNECT_MS = 1_000;
/** After these close codes the terminal is still there (RFC 6455, section 7.4.1). */
const BROKEN = new Set([1001, 1006, 1012]);

interface Message {
  type: string;
  terminal?: string;
  exit_code?: number | null;
}

/**
 * Opens a terminal in the sandbox. If the connection breaks, it connects to that terminal again.
 * @returns the exit status of the shell
 */
export async function shell(sandbox: Sandbox, command: string | undefined): Promise<number> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) throw new UsageError('A shell needs a terminal. `sandbox exec` runs one command.');
  const terminal = new RemoteTerminal(sandbox, command);
  process.stdin.setRawMode(true).resume();
  try {
    return await terminal.run();
  } finally {
    process.stdin.setRawMode(false).pause();
  }
}

class RemoteTerminal {
  private id: string | undefined;
  private received = 0;
  private socket: WebSocket | undefined;

  constructor(
    private readonly sandbox: Sandbox,
    private readonly command: string | undefined,
  ) {}

  async run(): Promise<number> {
    process.stdin.on('data', (data) => this.socket?.readyState === WebSocket.OPEN && this.socket.send(data));
    process.stdout.on('resize', () => this.resize());
    for (let failures = 0; ; failures++) {
      const before = this.received;
      const exitCode = await this.connect().catch((error: unknown) => {
        if (this.id === undefined || failures >= RECONNECTS) throw error;
        return undefined;
      });
      if (exitCode !== undefined) return exitCode;
      if (this.received > before) failures = 0;
      if (failures === 0) note('the connection broke; connecting again');
      await sleep(RECONNECT_MS);
    }
  }

  /** @returns the shell's exit status; undefined if the connection broke before */
  private async connect(): Promise<number | undefined> {
    const { cols, rows } = size();
    const resume = this.id === undefined ? undefined : { terminal: this.id, since: this.received };
    const url = await this.sandbox.terminals.url({
      ...(cols && { cols }),
      ...(rows && { rows }),
      ...(resume ? { resume } : this.command !== undefined && { command: this.command }),
    });
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket = socket;
    return new Promise((resolve, reject) => {
      let exitCode: number | undefined;
      let failure: Error | undefined;
      socket.on('message', (data: Buffer, isBinary) => {
        if (isBinary) {
          this.received += data.length;
          if (!process.stdout.write(data)) {
            socket.pause();
            process.stdout.once('drain', () => socket.resume());
          }
          return;
        }
        const message = JSON.parse(data.toString()) as Message;
        if (message.type === 'open') this.id = message.terminal;
        if (message.type === 'exit') exitCode = message.exit_code ?? 1;
      });
      socket.on('error', (error) => (failure ??= error));
      socket.on('unexpected-response', (request, response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => {
          failure = new Error(detailIn(text) ?? `The server answered with the status ${response.statusCode}.`);
          request.destroy();
          reject(failure);
        });
      });
      socket.on('close', (code, reason) => {
        if (exitCode !== undefined) resolve(exitCode);
        else if (BROKEN.has(code) && this.id !== undefined) resolve(undefined);
        else reject(failure ?? new Error(`The terminal was closed (${code}${reason.length > 0 ? `, ${reason.toString()}` : ''}).`));
      });
    });
  }

  private resize(): void {
    const { cols, rows } = size();
    if (cols && rows && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: 'resize', cols, rows }));
  }
}

/** A terminal that does not know its size says 0. */
function size(): { cols: number; rows: number } {
  return { cols: process.stdout.columns, rows: process.stdout.rows };
}

function detailIn(text: string): string | undefined {
  try {
    const { detail, code } = JSON.parse(text) as { detail?: string; code?: string };
    return detail === undefined ? undefined : `${detail} (${code})`;
  } catch {
    return undefined;
  }
}
