import type { Config } from '@sandbox/config';
import { RequestNotSentError } from '../channel/channel';
import type { OpenSandbox } from '../entering/open-sandbox';
import { executeExit, executeStart, type ExecuteExit, type ExecuteResult, type ExecuteStart } from './execute-answer';
import { OutputCapture } from './output-capture';
import { OutputText } from './output-text';
import type { CommandEnd } from './run-command';

/** Watches a command while it runs. */
export interface ExecuteWatcher {
  /** Is told before any output. */
  started(start: ExecuteStart): void;
  /**
   * Takes output as the command produces it, in the command's `encoding`. While the promise is
   * pending, the command waits with its next output.
   */
  output(stream: 'stdout' | 'stderr', data: string): void | Promise<void>;
}

type Stream = 'stdout' | 'stderr';
type Encoding = 'utf8' | 'base64';

/** Takes the output of one command and makes the answer. */
export interface CommandOutput<Answer> {
  /** Is called once the sandbox is open, before the command goes out. */
  beginOutput(): Promise<void>;
  /** Takes the next piece. While the promise is pending, the command waits with its next output. */
  takeOutput(stream: Stream, chunk: Buffer): void | Promise<void>;
  buildAnswer(end: CommandEnd): Promise<Answer>;
}

/** Keeps the beginning and the end of each stream for the answer. */
export class CollectedOutput implements CommandOutput<ExecuteResult> {
  private readonly streams: Record<Stream, OutputCapture>;
  private readonly texts: Record<Stream, OutputText> | undefined;

  /**
   * @param maxBytes of each stream that the answer holds
   * @param onOutput is told of the text that is sure to stand in the answer
   */
  constructor(
    private readonly config: Config,
    private readonly sandbox: OpenSandbox,
    maxBytes: number,
    private readonly encoding: Encoding = 'utf8',
    private readonly onOutput?: (text: string) => void,
  ) {
    this.streams = { stdout: new OutputCapture(maxBytes), stderr: new OutputCapture(maxBytes) };
    this.texts = onOutput && { stdout: new OutputText('utf8'), stderr: new OutputText('utf8') };
  }

  async beginOutput(): Promise<void> {}

  takeOutput(stream: Stream, chunk: Buffer): void {
    const beginning = this.streams[stream].addChunk(chunk);
    if (this.texts) this.onOutput?.(this.texts[stream].addChunk(beginning));
  }

  async buildAnswer(end: CommandEnd): Promise<ExecuteResult> {
    const stdout = this.streams.stdout.finishCapture(end.omitted.stdout, this.encoding);
    const stderr = this.streams.stderr.finishCapture(end.omitted.stderr, this.encoding);
    return {
      stdout: stdout.text,
      stderr: stderr.text,
      ...executeExit(end, stdout.truncated || stderr.truncated, this.config, this.sandbox),
      ...(await executeStart(this.sandbox)),
    };
  }
}

/** Hands each piece to a watcher as it comes. */
export class StreamedOutput implements CommandOutput<ExecuteExit> {
  private readonly texts: Record<Stream, OutputText>;

  constructor(
    private readonly config: Config,
    private readonly sandbox: OpenSandbox,
    private readonly watcher: ExecuteWatcher,
    encoding: Encoding = 'utf8',
  ) {
    this.texts = { stdout: new OutputText(encoding), stderr: new OutputText(encoding) };
  }

  async beginOutput(): Promise<void> {
    // The watcher is told of one start only. So no other sandbox is tried from here on.
    if (!this.sandbox.channel.open) throw new RequestNotSentError('The channel is closed.');
    this.watcher.started(await executeStart(this.sandbox));
  }

  takeOutput(stream: Stream, chunk: Buffer): void | Promise<void> {
    return this.tell(stream, this.texts[stream].addChunk(chunk));
  }

  async buildAnswer(end: CommandEnd): Promise<ExecuteExit> {
    for (const stream of ['stdout', 'stderr'] as const) await this.tell(stream, this.texts[stream].endText());
    return executeExit(end, end.omitted.stdout + end.omitted.stderr > 0, this.config, this.sandbox);
  }

  private tell(stream: Stream, data: string): void | Promise<void> {
    return data === '' ? undefined : this.watcher.output(stream, data);
  }
}
