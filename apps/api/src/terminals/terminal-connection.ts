import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { TerminalName, TerminalsService } from '@sandbox/orchestrator';
import type { WebSocket } from 'ws';
import { logFailure } from '../problems/log-failure';
import { toProblem, toSandboxError } from '../problems/problem';
import { validateDto } from '../validation/validate-dto';
import { ResizeMessage } from './terminal.dto';

/** How often the client has to answer a ping. One that missed the last is gone. */
const PING_MS = 30_000;
/** The longest message. A paste comes as one. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
const MAX_TEXT_BYTES = 64 * 1024;
/**
 * While more than this waits for the program, nothing is read from the network. It leaves room for
 * a paste or two, since a close frame is seen only while the network is read. A connection holds at
 * most this, the message that went over it, and what came in the same read.
 */
const MAX_WAITING_BYTES = 2 * MAX_MESSAGE_BYTES;
/** How much each message counts besides its bytes. */
const MESSAGE_COST = 1024;
/** How much input is offered to a terminal at a time. */
const PIECE_BYTES = 64 * 1024;
/** How soon input is offered again to a program that does not read. It doubles up to the last. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
/** The longest time that a timer of Node's can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Close codes of RFC 6455, section 7.4.1. */
export const CLOSE = { NORMAL: 1000, GOING_AWAY: 1001, POLICY: 1008, TOO_BIG: 1009, INTERNAL: 1011 } as const;

/**
 * Carries bytes between a WebSocket and a terminal, until one of them ends. Each way goes at the
 * speed of the slower side.
 */
export class TerminalConnection {
  private readonly gone = new AbortController();
  private alive = true;
  /** Settles when all input so far is with the program. */
  private written: Promise<void> = Promise.resolve();
  /** Settles when all sizes so far are the terminal's. */
  private resized: Promise<void> = Promise.resolve();
  private waitingBytes = 0;

  constructor(
    private readonly socket: WebSocket,
    private readonly terminals: TerminalsService,
    private readonly name: TerminalName,
    private readonly requestId: string,
  ) {
    socket.on('close', () => this.gone.abort());
    socket.on('error', () => {
      // After a message that is too long the socket is closing, and its close frame is to arrive.
      if (socket.readyState !== socket.CLOSING) socket.terminate();
    });
    socket.on('pong', () => (this.alive = true));
    socket.on('message', (data, isBinary) => this.queue(data as Buffer, isBinary));
  }

  /**
   * Serves the connection until it ends.
   * @param since the offset of the first byte of output that the client has not seen
   * @param expiresAt when the credential that opened the connection ends, in milliseconds since the
   * epoch; the connection ends then too
   */
  async runTerminal(since: number, expiresAt: number | null): Promise<void> {
    const heartbeat = setInterval(() => this.ping(), PING_MS);
    const expiry = expiresAt === null ? undefined : setTimeout(() => this.expire(), Math.min(expiresAt - Date.now(), MAX_TIMER_MS));
    try {
      this.tell({ type: 'open', terminal: this.name.terminal, offset: since });
      const watcher = {
        output: (bytes: Buffer) => this.sendMessage(bytes),
        gap: async (bytes: number) => this.tell({ type: 'gap', bytes }),
      };
      const exit_code = await this.terminals.followOutput(this.name, since, watcher, this.gone.signal);
      this.tell({ type: 'exit', exit_code });
      this.socket.close(CLOSE.NORMAL);
    } catch (error) {
      if (!this.gone.signal.aborted) this.fail(error, CLOSE.INTERNAL);
    } finally {
      clearInterval(heartbeat);
      clearTimeout(expiry);
    }
  }

  close(code: number): void {
    this.socket.close(code);
  }

  /**
   * Input goes to the program in its order. A size is set before the input that came after it. It
   * waits for no input, so a program that does not read is resized all the same.
   */
  private queue(data: Buffer, isBinary: boolean): void {
    if (!isBinary && data.length > MAX_TEXT_BYTES) return this.close(CLOSE.TOO_BIG);
    const cost = data.length + MESSAGE_COST;
    this.waitingBytes += cost;
    if (this.waitingBytes > MAX_WAITING_BYTES) this.socket.pause();
    const release = (): void => {
      this.waitingBytes -= cost;
      if (this.waitingBytes <= MAX_WAITING_BYTES) this.socket.resume();
    };
    if (isBinary) {
      const before = Promise.all([this.written, this.resized]);
      this.written = before.then(() => this.receiveMessage(data, isBinary)).then(release);
    } else this.resized = this.resized.then(() => this.receiveMessage(data, isBinary)).then(release);
  }

  private async receiveMessage(data: Buffer, isBinary: boolean): Promise<void> {
    try {
      if (isBinary) await this.writeInput(data);
      else await this.obey(data);
    } catch (error) {
      const { code } = toSandboxError(error);
      // Input for a program that is just ending is no fault.
      const ended = code === ErrorCode.JOB_ENDED || code === ErrorCode.JOB_STDIN_CLOSED || code === ErrorCode.NOT_FOUND;
      if (!ended && !this.gone.signal.aborted) this.fail(error, CLOSE.POLICY);
    }
  }

  private async writeInput(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) await this.writePiece(bytes.subarray(at, at + PIECE_BYTES));
  }

  private async writePiece(piece: Buffer): Promise<void> {
    for (let retryMs = FIRST_RETRY_MS; !this.gone.signal.aborted; retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)) {
      try {
        return await this.terminals.writeInput(this.name, piece, this.gone.signal);
      } catch (error) {
        if (!(error instanceof SandboxError) || error.code !== ErrorCode.JOB_STDIN_FULL) throw error;
        await sleep(retryMs);
      }
    }
  }

  private async obey(data: Buffer): Promise<void> {
    const message = validateDto(ResizeMessage, parse(data));
    if (message.type !== 'resize') throw new SandboxError(ErrorCode.BAD_REQUEST, 'A text frame has to be of type resize.');
    await this.terminals.resizeTerminal(this.name, message, this.gone.signal);
  }

  private sendMessage(bytes: Buffer): Promise<void> {
    // Settles when the network has taken the bytes. If the connection breaks, `close` tells.
    return new Promise((resolve) => this.socket.send(bytes, () => resolve()));
  }

  private tell(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  private fail(exception: unknown, code: number): void {
    const error = toSandboxError(exception);
    logFailure(error, this.requestId);
    this.tell({ type: 'error', problem: toProblem(error, this.requestId) });
    this.socket.close(code);
  }

  private expire(): void {
    this.fail(new SandboxError(ErrorCode.UNAUTHORIZED, 'The credential has expired.'), CLOSE.POLICY);
  }

  private ping(): void {
    // While the network is not read, the client's pong is not seen.
    if (!this.alive && !this.socket.isPaused) return this.socket.terminate();
    this.alive = false;
    this.socket.ping();
  }
}

function parse(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    throw new SandboxError(ErrorCode.BAD_REQUEST, 'A text frame has to be JSON.');
  }
}
