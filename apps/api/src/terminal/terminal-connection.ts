import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { TerminalName, TerminalsService } from '@sandbox/orchestrator';
import type { WebSocket } from 'ws';
import { logFailure } from '../errors/log-failure';
import { toProblem, toSandboxError } from '../errors/problem';
import { validateDto } from '../validation/validate-dto';
import { ResizeMessage } from './terminal.dto';

/** Of silence, after which the client has to answer a ping; and as much again after which it is gone. Milliseconds. */
const PING_MS = 30_000;
/** While a program does not read, its input is offered again so often, milliseconds. */
const RETRY_MS = 50;
/** The longest that a timer can wait, milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Close codes of RFC 6455, section 7.4.1. */
export const CLOSE = { NORMAL: 1000, GOING_AWAY: 1001, POLICY: 1008, INTERNAL: 1011 } as const;

/** Carries bytes between a WebSocket and a terminal, both ways at the speed of the slower, until one of them ends. */
export class TerminalConnection {
  private readonly gone = new AbortController();
  private alive = true;
  /** Messages are seen to in their order, each when the one before is done. */
  private last: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(
    private readonly socket: WebSocket,
    private readonly terminals: TerminalsService,
    private readonly name: TerminalName,
    private readonly requestId: string,
  ) {
    socket.on('close', () => this.gone.abort());
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => (this.alive = true));
    socket.on('message', (data, isBinary) => this.queue(data as Buffer, isBinary));
  }

  /** @param expiresAt when the credential that opened it ends: it ends then too */
  async run(since: number, expiresAt: number | null): Promise<void> {
    const heartbeat = setInterval(() => this.ping(), PING_MS);
    const expiry = expiresAt === null ? undefined : setTimeout(() => this.expire(), Math.min(expiresAt - Date.now(), MAX_TIMER_MS));
    try {
      this.tell({ type: 'open', terminal: this.name.terminal, offset: since });
      const watcher = { output: (bytes: Buffer) => this.send(bytes), gap: async (bytes: number) => this.tell({ type: 'gap', bytes }) };
      const exit_code = await this.terminals.follow(this.name, since, watcher, this.gone.signal);
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

  /** While a message waits, no more are read from the network; those that were read with it wait too. */
  private queue(data: Buffer, isBinary: boolean): void {
    this.waiting++;
    this.socket.pause();
    this.last = this.last
      .then(() => this.receive(data, isBinary))
      .then(() => {
        this.waiting--;
        if (this.waiting === 0) this.socket.resume();
      });
  }

  private async receive(data: Buffer, isBinary: boolean): Promise<void> {
    try {
      if (isBinary) await this.write(data);
      else await this.obey(data);
    } catch (error) {
      const { code } = toSandboxError(error);
      // What was typed into a program that is just ending.
      const ended = code === ErrorCode.JOB_ENDED || code === ErrorCode.JOB_STDIN_CLOSED || code === ErrorCode.NOT_FOUND;
      if (!ended && !this.gone.signal.aborted) this.fail(error, CLOSE.POLICY);
    }
  }

  private async write(bytes: Buffer): Promise<void> {
    while (bytes.length > 0 && !this.gone.signal.aborted) {
      try {
        return await this.terminals.write(this.name, bytes, this.gone.signal);
      } catch (error) {
        if (!(error instanceof SandboxError) || error.code !== ErrorCode.JOB_STDIN_FULL) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  private async obey(data: Buffer): Promise<void> {
    const message = validateDto(ResizeMessage, parse(data));
    if (message.type !== 'resize') throw new SandboxError(ErrorCode.BAD_REQUEST, 'A text frame has to be of type resize.');
    await this.terminals.resize(this.name, message, this.gone.signal);
  }

  private send(bytes: Buffer): Promise<void> {
    // Settles when the network has taken the bytes; of a connection that breaks meanwhile, `close` tells.
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
    // While input waits for its program, nothing is read of the client, its pongs neither.
    if (!this.alive && this.waiting === 0) return this.socket.terminate();
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
