import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DialError, type EgressDenial, FirstBytes } from '@sandbox/egress';
import { StreamError, StreamErrorCode } from '../channel/stream-error';
import type { ConnectionEnd } from './network-events';

/** How long the server may take for the last bytes after the sandbox has both ended. */
const LINGER_MS = 30_000;
/** From the first byte of a program until it is clear for whom its connection is. */
const FIRST_BYTES_MS = 30_000;

/** Is thrown in place of a dialled connection, if the server may not be reached. */
export class RefusedError extends Error {}

/** The outcome of a connection. */
export interface ConnectionOutcome {
  readonly end: ConnectionEnd;
  readonly detail?: string;
}

/**
 * Carries the bytes of one connection between a program's stream and a server. What the program
 * sends first is looked at before any of it goes out (FirstBytes). What the server sends needs no
 * look, and comes at once, because in many protocols the server speaks first.
 */
export class OutgoingConnection {
  private socket: Socket | null = null;
  private outcome: ConnectionOutcome | null = null;
  private readonly dialling = new AbortController();
  private readonly firstBytes: FirstBytes;
  private hasPassed = false;

  /** @param onDenied is told if the first bytes name another server */
  constructor(
    readonly host: string,
    readonly port: number,
    private readonly stream: Duplex,
    private readonly onDenied: (denial: EgressDenial) => void,
  ) {
    this.firstBytes = new FirstBytes(host, port);
  }

  get bytesIn(): number {
    return this.socket?.bytesRead ?? 0;
  }

  get bytesOut(): number {
    return this.socket?.bytesWritten ?? 0;
  }

  /**
   * Carries bytes until both sides have ended. Never rejects.
   * @param dial connects to the server
   */
  async run(dial: (signal: AbortSignal) => Promise<Socket>): Promise<ConnectionOutcome> {
    const streamClosed = closed(this.stream);
    void streamClosed.then(() => this.dialling.abort());
    this.inspect();
    try {
      const socket = await dial(this.dialling.signal);
      if (this.stream.destroyed) socket.destroy();
      else this.join(socket);
      await Promise.all([streamClosed, closed(socket)]);
    } catch (error) {
      if (error instanceof RefusedError) this.breakOff('denied', 'NOT_ALLOWED', 'The server may not be reached.');
      // The program has given up first.
      else if (error instanceof DialError && error.failure === 'cancelled') this.breakOff('reset', 'CONNECTION_FAILED', 'It was given up.');
      else this.breakOff('failed', 'CONNECTION_FAILED', reasonOf(error));
      await streamClosed;
    }
    return this.outcome ?? { end: this.endOf(this.stream.errored) };
  }

  /** Ends the connection at once. */
  cut(end: 'revoked' | 'byte_limit'): void {
    this.breakOff(end, 'NOT_ALLOWED', end === 'revoked' ? 'The rules of the session have changed.' : 'The session may move no more bytes.');
  }

  private inspect(): void {
    const take = (chunk: Buffer): void => {
      const verdict = this.firstBytes.push(chunk);
      late ??= setTimeout(() => this.judge(this.firstBytes.end()), FIRST_BYTES_MS).unref();
      if (verdict === 'more') return;
      clearTimeout(late);
      this.stream.off('data', take);
      this.stream.pause();
      this.judge(verdict);
    };
    let late: NodeJS.Timeout | undefined;
    this.stream.on('data', take);
    this.stream.once('end', () => {
      clearTimeout(late);
      if (!this.hasPassed) this.judge(this.firstBytes.end());
    });
    this.stream.once('close', () => clearTimeout(late));
  }

  private judge(verdict: 'pass' | EgressDenial): void {
    if (verdict === 'pass') {
      this.hasPassed = true;
      this.sendOn();
    } else {
      this.onDenied(verdict);
      this.breakOff('denied', 'NOT_ALLOWED', `The connection is not for ${this.host}.`);
    }
  }

  private join(socket: Socket): void {
    this.socket = socket;
    socket.on('error', () => this.breakOff('reset', 'CONNECTION_FAILED', 'The connection to the server broke.'));
    socket.on('close', () => {
      if (!this.stream.writableEnded) this.breakOff('reset', 'CONNECTION_FAILED', 'The server broke the connection off.');
    });
    this.stream.on('close', () => {
      if (this.stream.errored || !this.stream.readableEnded || !this.stream.writableFinished) socket.resetAndDestroy();
      else socket.setTimeout(LINGER_MS, () => socket.destroy());
    });
    socket.pipe(this.stream);
    this.sendOn();
  }

  /** Sends what has passed, and then all that comes. */
  private sendOn(): void {
    const { socket } = this;
    if (socket === null || !this.hasPassed) return;
    const held = this.firstBytes.takeBytes();
    if (held.length > 0) socket.write(held);
    this.stream.pipe(socket);
  }

  private breakOff(end: ConnectionEnd, code: string, detail: string): void {
    this.outcome ??= { end, ...(end === 'failed' && { detail }) };
    this.stream.destroy(new StreamError(code, detail));
    this.socket?.resetAndDestroy();
  }

  private endOf(error: Error | null): ConnectionEnd {
    if (!(error instanceof StreamError)) return error === null && this.stream.readableEnded ? 'closed' : 'reset';
    if (error.code === StreamErrorCode.STREAM_IDLE) return 'idle';
    return error.code === StreamErrorCode.SANDBOX_LOST ? 'lost' : 'reset';
  }
}

function closed(stream: Duplex): Promise<void> {
  return new Promise((resolve) => (stream.closed ? resolve() : stream.once('close', () => resolve())));
}

function reasonOf(error: unknown): string {
  return `The server could not be reached (${error instanceof DialError ? error.failure : 'failed'}).`;
}
