import type { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { clientClosed, ErrorCode, SandboxError } from '@sandbox/errors';
import type { ChannelStream } from './channel-stream';
import { type StreamHeader, type StreamOffer, type StreamOptions, StreamSet } from './stream-set';
import type { SandboxProcess } from './sandbox-process';
import { type AgentRequest, type CallOptions, type Channel, RequestNotSentError, type Transport } from './channel';
import {
  AgentFrame,
  CHANNEL_ID,
  encodeFrame,
  encodeNumber,
  type Frame,
  type FrameReader,
  HEADER_BYTES,
  HostFrame,
  MAX_HOST_PAYLOAD_BYTES,
  MAX_REQUEST_ID,
  StreamFrame,
} from './frames';
import type { DirectListener } from './direct-listener';
import { handshake } from './handshake';
import { OpenRequest, type RequestPort } from './open-request';

const MAX_OPEN_REQUESTS = 128;
/** One clock serves all deadlines of a channel, so a deadline is kept to within a second. */
const TICK_MS = 500;
/**
 * If the agent is silent for this many ticks while requests are open, the channel sends a PING. If
 * it is silent for as many more, the channel is given up.
 */
const SILENT_TICKS = 10;
/**
 * Only DATA frames wait until the stream has room. If the agent does not read the others, the
 * channel is given up at this many unwritten bytes.
 */
const MAX_UNWRITTEN_BYTES = 32 * 1024 * 1024;
/** A lease is renewed so many times before it ends. */
const RENEWALS = 4;

/**
 * Starts the agent in a process that was made with AGENT_ARGV, and opens a channel to it. On
 * failure it destroys the process's stream. In any case it closes the listener.
 * @param direct where the agent may come without the engine between; null: nowhere
 * @param sandboxId names the sandbox in log lines
 * @param leaseSeconds how long the sandbox goes on without a word of this process
 * (SandboxRuntime.leaseSeconds); null: as long as the channel is not closed
 * @throws SandboxError SANDBOX_UNRESPONSIVE after 10 s without an answer; SANDBOX_IMAGE_UNUSABLE,
 * SANDBOX_EXHAUSTED or SANDBOX_LOST if the process ended first
 */
export function openChannel(
  process: SandboxProcess,
  sandboxId?: string,
  direct: DirectListener | null = null,
  leaseSeconds: number | null = null,
): Promise<Channel> {
  return handshake(process, direct, ({ stream, reader, transport }) => {
    if (direct !== null && transport === 'exec')
      logger.debug({ msg: 'the agent did not come by the socket: its frames pass through the engine', sandbox: sandboxId });
    return new AgentChannel(stream, reader, transport, sandboxId, leaseSeconds);
  });
}

const logger = new Logger('Channel');

/**
 * Carries the requests of one sandbox over the stream of its agent. A short command costs one write
 * and one read of that stream, and no call to the engine.
 *
 * The channel closes if the agent breaks the protocol or falls silent. The requests that are open
 * then reject.
 */
class AgentChannel implements Channel, RequestPort {
  readonly closed: Promise<void>;
  private markClosed!: () => void;
  private isOpen = true;
  private readonly requests = new Map<number, OpenRequest>();
  /** Requests and streams that have bytes to send, in the order of their turns. */
  private readonly senders = new Set<OpenRequest | ChannelStream>();
  private readonly streams = new StreamSet(this);
  private lastId = 0;
  /**
   * Runs while requests are open, and stops at the first tick that finds none. So requests in
   * sequence share it.
   */
  private clock: NodeJS.Timeout | null = null;
  /**
   * Counts ticks instead of reading a clock. If this process itself was held up, the agent's answer
   * waits to be read and still comes before the next tick.
   */
  private silentTicks = 0;
  /** How many PINGs have no PONG yet. */
  private pings = 0;
  private readonly renewing: NodeJS.Timeout | null;

  constructor(
    private readonly stream: Duplex,
    private readonly reader: FrameReader,
    readonly transport: Transport,
    private readonly sandboxId: string | undefined,
    leaseSeconds: number | null,
  ) {
    this.closed = new Promise((resolve) => (this.markClosed = resolve));
    stream.on('data', this.onData).on('drain', this.onDrain).on('end', this.onEnd).on('error', this.onError).on('close', this.onClose);
    this.renewing = leaseSeconds === null ? null : this.giveLeases(leaseSeconds);
  }

  get open(): boolean {
    return this.isOpen && this.stream.writable;
  }

  sendRequest(request: AgentRequest, options: CallOptions): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      if (!this.open) throw new RequestNotSentError('The channel is closed.');
      if (options.signal?.aborted) throw clientClosed();
      if (this.requests.size >= MAX_OPEN_REQUESTS) {
        throw new SandboxError(ErrorCode.TOO_MANY_COMMANDS, `The session runs ${MAX_OPEN_REQUESTS} calls already.`, { retryAfter: 1 });
      }
      const id = this.freeId();
      const frame = encodeFrame(HostFrame.REQUEST, id, JSON.stringify(request));
      if (frame.length - HEADER_BYTES > MAX_HOST_PAYLOAD_BYTES)
        throw new SandboxError(ErrorCode.PAYLOAD_TOO_LARGE, 'The request is too large.');
      const opened = new OpenRequest(id, options, this, resolve, reject);
      this.requests.set(id, opened);
      this.clock ??= this.startClock();
      // Corked, so that a request and its short input go out in one write.
      this.stream.cork();
      this.sendFrame(frame);
      if (this.isOpen) opened.sendOpening();
      this.stream.uncork();
    });
  }

  async openStream(header: StreamHeader, options?: StreamOptions): Promise<{ stream: Duplex; facts: Record<string, unknown> }> {
    if (!this.open) throw new RequestNotSentError('The channel is closed.');
    return this.streams.open(header, options);
  }

  onStream(handler: (offer: StreamOffer) => void): void {
    this.streams.onOffer(handler);
  }

  close(): void {
    this.shut(ErrorCode.SANDBOX_LOST, 'The session was closed during the call.');
  }

  /* What OpenRequest needs of its channel. */

  readonly tickMs = TICK_MS;

  sendFrame(...pieces: Buffer[]): void {
    if (!this.isOpen) return;
    if (pieces.length > 1) this.stream.cork();
    for (const piece of pieces) this.stream.write(piece);
    if (pieces.length > 1) this.stream.uncork();
    if (this.stream.writableLength > MAX_UNWRITTEN_BYTES) this.giveUp('the agent does not read');
  }

  wantsToSend(sender: OpenRequest | ChannelStream): void {
    this.senders.add(sender);
    this.sendInputs();
  }

  settled(request: OpenRequest): void {
    this.requests.delete(request.id);
    this.senders.delete(request);
  }

  private sendInputs(): void {
    // A Set is walked in the order of insertion, including what is added meanwhile. A request that
    // has more to send goes to the end of the line.
    for (const request of this.senders) {
      if (!this.open || this.stream.writableNeedDrain) return;
      this.senders.delete(request);
      if (request.sendInput()) this.senders.add(request);
    }
  }

  private freeId(): number {
    do this.lastId = this.lastId === MAX_REQUEST_ID ? 1 : this.lastId + 1;
    while (this.requests.has(this.lastId));
    return this.lastId;
  }

  private startClock(): NodeJS.Timeout {
    this.silentTicks = 0;
    // The stream keeps the process alive, so the clock need not.
    return setInterval(() => this.tick(), TICK_MS).unref();
  }

  private giveLeases(seconds: number): NodeJS.Timeout {
    const give = (): void => this.sendFrame(encodeNumber(HostFrame.LEASE, CHANNEL_ID, seconds));
    give();
    return setInterval(give, (seconds * 1000) / RENEWALS).unref();
  }

  private stopClock(): void {
    if (this.clock !== null) clearInterval(this.clock);
    this.clock = null;
  }

  private tick(): void {
    if (this.requests.size === 0) return this.stopClock();
    this.silentTicks += 1;
    if (this.silentTicks === SILENT_TICKS) this.sendPing();
    if (this.silentTicks >= 2 * SILENT_TICKS) return this.giveUp('the agent does not answer a PING');
    for (const request of this.requests.values()) {
      if (!request.tick()) return this.giveUp('the agent did not end a cancelled request');
    }
  }

  private readonly onData = (chunk: Buffer): void => {
    this.silentTicks = 0;
    const { frames, violation } = this.reader.push(chunk);
    for (const frame of frames) {
      const breach = this.receiveFrame(frame);
      if (breach !== null) return this.breach(breach);
      if (!this.isOpen) return;
    }
    if (violation !== null) this.breach(violation);
  };

  private receiveFrame(frame: Frame): string | null {
    if (frame.type >= StreamFrame.OPEN) return this.streams.receiveFrame(frame);
    const request = this.requests.get(frame.id);
    if (request !== undefined) return request.receiveFrame(frame);
    if (frame.id !== CHANNEL_ID) return 'a frame for a request that is not open';
    const answer = frame.type === AgentFrame.PONG && frame.payload.length === 0 && this.pings > 0;
    if (answer) this.pings -= 1;
    return answer ? null : 'a frame the channel does not take';
  }

  private sendPing(): void {
    this.pings += 1;
    this.sendFrame(encodeFrame(HostFrame.PING, CHANNEL_ID));
  }

  private readonly onDrain = (): void => this.sendInputs();
  private readonly onEnd = (): void => this.shut(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.');
  private readonly onError = (error: Error): void => {
    if (this.isOpen) logger.warn({ msg: 'channel failed', sandbox: this.sandboxId, error: error.message });
    this.onEnd();
  };
  private readonly onClose = (): void => {
    this.onEnd();
    this.stream.off('error', this.onError).off('close', this.onClose);
  };

  private breach(reason: string): void {
    logger.warn({ msg: 'channel closed: the agent broke the protocol', sandbox: this.sandboxId, reason });
    this.shut(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.');
  }

  private giveUp(reason: string): void {
    logger.warn({ msg: 'channel closed: the agent is unresponsive', sandbox: this.sandboxId, reason });
    this.shut(ErrorCode.SANDBOX_UNRESPONSIVE, 'The sandbox does not answer.', 1);
  }

  /**
   * Closes the channel. The stream's later events, 'error' above all, are still listened to but
   * change nothing.
   */
  private shut(code: ErrorCode, message: string, retryAfter?: number): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.stopClock();
    if (this.renewing !== null) clearInterval(this.renewing);
    this.stream.off('data', this.onData).off('drain', this.onDrain).off('end', this.onEnd);
    this.stream.destroy();
    for (const request of [...this.requests.values()]) request.fail(new SandboxError(code, message, { retryAfter }));
    this.streams.endAll(message);
    this.markClosed();
  }
}
