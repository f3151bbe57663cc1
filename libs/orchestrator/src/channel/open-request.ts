import type { Readable } from 'node:stream';
import { clientClosed, ErrorCode, SandboxError } from '@sandbox/errors';
import { type AgentAnswer, parseAnswer } from './agent-answer';
import type { CallOptions } from './channel';
import { AgentFrame, decodeNumber, encodeNumber, encodeFrame, framePieces, type Frame, HostFrame } from './frames';
import { RequestInput } from './request-input';
import { RequestOutput } from './request-output';

/** How long an agent may take to end a cancelled request. */
const CANCEL_GRACE_MS = 5_000;
/** When the caller may try again, for errors that pass once the sandbox has room. */
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = { TOO_MANY_COMMANDS: 1, SANDBOX_EXHAUSTED: 1 };

/** The parts of a channel that a request needs. */
export interface RequestPort {
  /** Length of one tick of the channel's clock, in milliseconds. */
  readonly tickMs: number;
  /** Sends one frame, whole or in pieces. */
  sendFrame(...pieces: Buffer[]): void;
  /** Asks the channel to call `sendInput` when the stream has room. */
  wantsToSend(request: OpenRequest): void;
  /** Tells the channel that the request is settled. */
  settled(request: OpenRequest): void;
}

/**
 * One request, from its REQUEST frame until its promise settles: its output, input, deadline and
 * cancellation. A method that takes something from the agent returns what is wrong with it, or
 * null.
 */
export class OpenRequest {
  private readonly output: RequestOutput;
  private readonly input: RequestInput | null;
  /** The members of END. A slow consumer may still be taking the output before it. */
  private answer: AgentAnswer | null = null;
  /**
   * Why the request was cancelled. This is its outcome unless the agent had already reached
   * another.
   */
  private cancelled: { readonly reason: unknown; readonly overrules: boolean } | null = null;
  /** Ticks until the deadline. After a cancellation: ticks until the agent's grace ends. */
  private ticksLeft: number;
  /** Ticks until it counts as stalled. */
  private ticksToStall: number;

  constructor(
    readonly id: number,
    private readonly options: CallOptions,
    private readonly port: RequestPort,
    private readonly resolve: (ok: Record<string, unknown>) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.ticksLeft = ticks(options.deadlineMs, port.tickMs);
    this.ticksToStall = this.fullStall;
    this.output = new RequestOutput(options.onOutput, {
      credit: (bytes) => {
        if (this.answer === null) port.sendFrame(encodeNumber(HostFrame.CREDIT, id, bytes));
      },
      moved: () => {
        this.ticksToStall = this.fullStall;
      },
      failed: (error) => this.cancel(error, true),
      drained: () => this.finishRequest(),
    });
    this.input = options.input === undefined ? null : this.makeInput(options.input);
  }

  /** Begins to send input. The channel calls it once the REQUEST frame is out. */
  sendOpening(): void {
    this.options.signal?.addEventListener('abort', this.onAbort);
    this.input?.startSending();
  }

  receiveFrame(frame: Frame): string | null {
    if (this.answer !== null) return 'a frame for a request that has ended';
    switch (frame.type) {
      case AgentFrame.OUT:
        return this.output.takeChunk('stdout', frame.payload) ? null : 'output past its window';
      case AgentFrame.ERR:
        return this.output.takeChunk('stderr', frame.payload) ? null : 'output past its window';
      case AgentFrame.CREDIT:
        return this.receiveCredit(decodeNumber(frame.payload));
      case AgentFrame.END:
        return this.receiveEnd(frame.payload);
      default:
        return 'a frame of unknown type';
    }
  }

  /** Sends one frame of input. Returns true if more may follow at once. */
  sendInput(): boolean {
    const step = this.input?.next() ?? null;
    if (step === null) return false;
    this.port.sendFrame(...(step === 'eof' ? [encodeFrame(HostFrame.EOF, this.id)] : framePieces(HostFrame.DATA, this.id, step.data)));
    return step !== 'eof';
  }

  /**
   * Takes one tick of the channel's clock. Returns false if the agent has not ended a cancelled
   * request in time.
   */
  tick(): boolean {
    this.ticksLeft -= 1;
    if (this.cancelled !== null) return this.ticksLeft > 0;
    this.ticksToStall -= 1;
    const { deadlineMs, stallMs = Infinity } = this.options;
    if (this.ticksLeft <= 0) this.giveUp(`The call did not end within ${Math.ceil(deadlineMs / 1000)} s.`);
    else if (this.ticksToStall <= 0) this.giveUp(`Nothing was taken of the answer for ${Math.ceil(stallMs / 1000)} s.`);
    return true;
  }

  /** Rejects the request, because the channel is gone. */
  fail(error: unknown): void {
    this.settle(() => this.reject(error));
  }

  private makeInput(input: Buffer | Readable): RequestInput {
    return new RequestInput(input, {
      ready: () => this.port.wantsToSend(this),
      failed: (error) => this.cancel(error, true),
    });
  }

  private receiveCredit(bytes: number | null): string | null {
    if (bytes === null || this.input === null) return 'bad credit';
    return this.input.grant(bytes) ? null : 'more credit than was used';
  }

  private receiveEnd(payload: Buffer): string | null {
    this.answer = parseAnswer(payload);
    if (this.answer === null) return 'a malformed END';
    this.finishRequest();
    return null;
  }

  private get fullStall(): number {
    const { stallMs } = this.options;
    return stallMs === undefined ? Infinity : ticks(stallMs, this.port.tickMs);
  }

  private giveUp(detail: string): void {
    this.cancel(new SandboxError(ErrorCode.REQUEST_TIMEOUT, detail), false);
  }

  private readonly onAbort = (): void => {
    this.cancel(clientClosed(), false);
  };

  /**
   * @param overrules whether the reason is the outcome even if the agent reports success, because
   * input or output was lost on our side
   */
  private cancel(reason: unknown, overrules: boolean): void {
    if (this.cancelled !== null) return;
    this.cancelled = { reason, overrules };
    this.ticksLeft = ticks(CANCEL_GRACE_MS, this.port.tickMs);
    this.input?.stopSending();
    this.output.discard();
    if (this.answer === null) this.port.sendFrame(encodeFrame(HostFrame.CANCEL, this.id));
    else this.fail(reason);
  }

  /**
   * Settles once END is there. If END brings a result, the output before it must have been consumed
   * too.
   */
  private finishRequest(): void {
    const answer = this.answer;
    if (answer === null) return;
    const cancelled = this.cancelled;
    if (cancelled !== null && (cancelled.overrules || answer.code === ErrorCode.CLIENT_CLOSED_REQUEST)) {
      this.fail(cancelled.reason);
    } else if (answer.code !== null) {
      this.fail(new SandboxError(answer.code, answer.detail, { cause: answer.cause, retryAfter: RETRY_AFTER_SECONDS[answer.code] }));
    } else if (this.output.idle) {
      this.settle(() => this.resolve(answer.ok));
    }
  }

  private settle(outcome: () => void): void {
    this.options.signal?.removeEventListener('abort', this.onAbort);
    this.input?.stopSending();
    this.output.discard();
    this.port.settled(this);
    outcome();
  }
}

/** Returns one tick more than the time takes, since part of the current tick has passed already. */
function ticks(milliseconds: number, tickMs: number): number {
  return Math.ceil(milliseconds / tickMs) + 1;
}
