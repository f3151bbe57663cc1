import type { Readable } from 'node:stream';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { type AgentAnswer, parseAnswer } from './agent-answer';
import type { CallOptions } from './channel';
import { AgentFrame, decodeCredit, encodeCredit, encodeFrame, type Frame, HostFrame } from './frames';
import { RequestInput } from './request-input';
import { RequestOutput } from './request-output';

/** How long an agent may take to end a request that was cancelled. */
const CANCEL_GRACE_MS = 5_000;
/** What the agent refuses for want of room may soon be possible. */
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = { TOO_MANY_COMMANDS: 1, SANDBOX_EXHAUSTED: 1 };

/** What a request needs of its channel. */
export interface RequestPort {
  /** Length of the channel's clock tick, milliseconds. */
  readonly tickMs: number;
  send(frame: Buffer): void;
  /** Has `sendInput` called when the stream takes more. */
  wantsToSend(request: OpenRequest): void;
  /** The request is settled, and nothing more will come of it. */
  settled(request: OpenRequest): void;
}

/**
 * One request between its REQUEST frame and the settling of its promise: its output, its input, its deadline, its cancellation. A method
 * that takes something from the agent returns what is wrong with it, or null.
 */
export class OpenRequest {
  private readonly output: RequestOutput;
  private readonly input: RequestInput | null;
  /** What END said; the output before it may still be on its way to a slow consumer. */
  private answer: AgentAnswer | null = null;
  /** Why it was cancelled: the outcome, unless the agent had already come to another. */
  private cancelled: { readonly reason: unknown; readonly overrules: boolean } | null = null;
  /** Ticks to the deadline; once cancelled, to the end of the agent's grace. */
  private ticksLeft: number;

  constructor(
    readonly id: number,
    private readonly options: CallOptions,
    private readonly port: RequestPort,
    private readonly resolve: (ok: Record<string, unknown>) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.ticksLeft = ticks(options.deadlineMs, port.tickMs);
    this.output = new RequestOutput(options.onOutput, {
      credit: (bytes) => {
        if (this.answer === null) port.send(encodeCredit(HostFrame.CREDIT, id, bytes));
      },
      failed: (error) => this.cancel(error, true),
      drained: () => this.finish(),
    });
    this.input = options.input === undefined ? null : this.makeInput(options.input);
  }

  /** Once the REQUEST frame is out. */
  start(): void {
    this.options.signal?.addEventListener('abort', this.onAbort);
    this.input?.start();
  }

  receive(frame: Frame): string | null {
    if (this.answer !== null) return 'a frame for a request that has ended';
    switch (frame.type) {
      case AgentFrame.OUT:
        return this.output.take('stdout', frame.payload) ? null : 'output past its window';
      case AgentFrame.ERR:
        return this.output.take('stderr', frame.payload) ? null : 'output past its window';
      case AgentFrame.CREDIT:
        return this.receiveCredit(decodeCredit(frame.payload));
      case AgentFrame.END:
        return this.receiveEnd(frame.payload);
      default:
        return 'a frame of unknown type';
    }
  }

  /** Sends one frame of input. True where more may follow at once. */
  sendInput(): boolean {
    const step = this.input?.next() ?? null;
    if (step === null) return false;
    this.port.send(step === 'eof' ? encodeFrame(HostFrame.EOF, this.id) : encodeFrame(HostFrame.DATA, this.id, step.data));
    return step !== 'eof';
  }

  /** The channel's clock. False where the agent has not ended a cancelled request in time. */
  tick(): boolean {
    this.ticksLeft -= 1;
    if (this.ticksLeft > 0) return true;
    if (this.cancelled !== null) return false;
    const seconds = Math.ceil(this.options.deadlineMs / 1000);
    this.cancel(new SandboxError(ErrorCode.REQUEST_TIMEOUT, `The call did not end within ${seconds} s.`), false);
    return true;
  }

  /** The channel is gone. */
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
    this.finish();
    return null;
  }

  private readonly onAbort = (): void => {
    this.cancel(new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The client closed the request.'), false);
  };

  /** @param overrules the reason is the outcome even where the agent says the request went well: input or output was lost on our side */
  private cancel(reason: unknown, overrules: boolean): void {
    if (this.cancelled !== null) return;
    this.cancelled = { reason, overrules };
    this.ticksLeft = ticks(CANCEL_GRACE_MS, this.port.tickMs);
    this.input?.stop();
    this.output.discard();
    if (this.answer === null) this.port.send(encodeFrame(HostFrame.CANCEL, this.id));
    else this.fail(reason);
  }

  /** Settles once END is there and, where it brings a result, the output before it has been consumed. */
  private finish(): void {
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
    this.input?.stop();
    this.output.discard();
    this.port.settled(this);
    outcome();
  }
}

/** One more than the time takes, for the part of a tick that has passed already. */
function ticks(milliseconds: number, tickMs: number): number {
  return Math.ceil(milliseconds / tickMs) + 1;
}
