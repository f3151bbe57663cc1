import { Duplex } from 'node:stream';
import type { SandboxProcess } from '../sandbox-process';
import type { AgentRequest, CallOptions, Channel } from '../channel';
import { AgentFrame, encodeFrame, type Frame, FrameReader, HostFrame, MAX_HOST_PAYLOAD_BYTES } from '../frames';

const NAMES = Object.fromEntries(Object.entries(HostFrame).map(([name, type]) => [type, name]));

/** One end of an in-memory pipe, with the backpressure of a real pipe. */
class PipeEnd extends Duplex {
  peer!: PipeEnd;
  private resumeWriter: (() => void) | null = null;

  override _read(): void {
    const resume = this.resumeWriter;
    this.resumeWriter = null;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.peer.destroyed || this.peer.push(chunk)) done();
    else this.peer.resumeWriter = done;
  }

  override _final(done: () => void): void {
    if (!this.peer.destroyed) this.peer.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.peer.destroyed && !this.peer.readableEnded) this.peer.push(null);
    done(error);
  }
}

/**
 * The agent's end of a channel, which does only what a test tells it. The real agent cannot be made
 * to send hostile frames, to fall silent or to die at a given moment.
 */
export class FakeAgent {
  readonly process: SandboxProcess;
  readonly stream: Duplex;
  /** The frames that the host sent after the bundle. */
  readonly received: Frame[] = [];
  bundle = Buffer.alloc(0);
  private readonly host: PipeEnd;
  private readonly reader = new FrameReader(MAX_HOST_PAYLOAD_BYTES);
  private bundleLength: number | null = null;
  private waiting: (() => void)[] = [];
  private markEnded!: (end: { exitCode: number | null; stderr: string }) => void;

  constructor(private readonly options: { readonly hello?: Buffer | null } = {}) {
    this.host = new PipeEnd();
    this.stream = new PipeEnd();
    this.host.peer = this.stream as PipeEnd;
    (this.stream as PipeEnd).peer = this.host;
    this.process = { stream: this.host, ended: new Promise((resolve) => (this.markEnded = resolve)) };
    this.stream.on('data', (chunk: Buffer) => this.onData(chunk));
  }

  get hostStream(): Duplex {
    return this.host;
  }

  send(type: number, id: number, payload?: Buffer | string | object): void {
    const bytes = payload === undefined || typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
    this.stream.write(encodeFrame(type, id, bytes));
  }

  end(exitCode: number | null, stderr = ''): void {
    this.stream.end();
    this.markEnded({ exitCode, stderr });
  }

  /** Resolves with the nth frame of that type (and id), once it has come. */
  async frame(type: number, { id, nth = 1 }: { id?: number; nth?: number } = {}): Promise<Frame> {
    for (;;) {
      const found = this.framesOf(type, id)[nth - 1];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  framesOf(type: number, id?: number): Frame[] {
    return this.received.filter((frame) => frame.type === type && (id === undefined || frame.id === id));
  }

  /** Returns the names of the frames received for a request, in order. */
  namesFor(id: number): string[] {
    return this.received.filter((frame) => frame.id === id).map((frame) => NAMES[frame.type] ?? String(frame.type));
  }

  private onData(chunk: Buffer): void {
    const rest = this.bundleLength === this.bundle.length ? chunk : this.readBundle(chunk);
    if (rest.length > 0) this.received.push(...this.reader.push(rest).frames);
    const waiting = this.waiting;
    this.waiting = [];
    for (const wake of waiting) wake();
  }

  private readBundle(chunk: Buffer): Buffer {
    let bytes = Buffer.concat([this.bundle, chunk]);
    if (this.bundleLength === null) {
      const lineEnd = bytes.indexOf('\n');
      this.bundleLength = Number(bytes.subarray(0, lineEnd).toString());
      bytes = bytes.subarray(lineEnd + 1);
    }
    this.bundle = bytes.subarray(0, this.bundleLength);
    if (this.bundle.length === this.bundleLength && this.options.hello !== null) {
      this.stream.write(this.options.hello ?? encodeFrame(AgentFrame.HELLO, 0, JSON.stringify({ protocol: 1, python: '3.11.2', pid: 7 })));
    }
    return bytes.subarray(this.bundleLength);
  }
}

/** Waits until everything that is on its way through a pipe has arrived. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export const LIST: AgentRequest = { op: 'list', path: '' };
export const WRITE: AgentRequest = { op: 'write', path: 'f', max_size: 0 };

/**
 * Makes a call and resolves with its request id, once the agent has the request. A test may look at
 * the result late: a rejection is handled until then.
 */
export async function begin(
  agent: FakeAgent,
  channel: Channel,
  options: Partial<CallOptions> = {},
  request: AgentRequest = LIST,
): Promise<{ id: number; result: Promise<Record<string, unknown>> }> {
  const nth = agent.framesOf(HostFrame.REQUEST).length + 1;
  const result = channel.sendRequest(request, { deadlineMs: 60_000, ...options });
  void result.catch(() => undefined);
  return { id: (await agent.frame(HostFrame.REQUEST, { nth })).id, result };
}
