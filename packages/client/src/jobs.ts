import { type CommandOptions, commandFields, type OutputFormat, outputOf } from './commands.ts';
import { answerOf, type CallOptions, type Connection, type RequestBody } from './connection.ts';
import { type IdempotencyOptions, keyHeader } from './idempotency.ts';
import { type CamelCased, camelCased } from './naming.ts';
import { Reconnects, resumedBytes } from './reconnecting.ts';
import type { components } from './schema.ts';
import { serverEvents } from './server-events.ts';

type Schemas = components['schemas'];

/** What is known of a job. */
export type JobInfo = CamelCased<Schemas['JobDto']>;

/** One step of a job's output. `end` is the last one. */
export type JobEvent<Data = string> =
  | { type: 'stdout' | 'stderr'; data: Data; id: string }
  /** So many bytes were dropped unread, because the job wrote more than the sandbox keeps. */
  | { type: 'gap'; stream: 'stdout' | 'stderr'; bytes: number; id: string }
  | ({ type: 'end' } & JobInfo);

export interface JobOptions extends CommandOptions, IdempotencyOptions {
  /** Leaves the standard input open for `write`. */
  openStdin?: boolean;
}

export interface FollowOptions extends CallOptions {
  /** The `id` of the last event that was read. By default all that is kept is read. */
  after?: string;
}

export interface BytesOptions extends CallOptions {
  stream?: 'stdout' | 'stderr';
  /** The first byte to read. By default the oldest that is kept. */
  offset?: number;
}

/** The longest that the API lets one call wait. */
const WAIT_SECONDS = 30;

/** The jobs of a sandbox: commands that go on when the caller goes away. */
export class Jobs {
  constructor(
    private readonly connection: Connection,
    private readonly sandboxId: string,
  ) {}

  /** Starts a job, and returns when it has started. */
  async start(
    command: string,
    { openStdin, signal, idempotencyKey = this.connection.newKey(), ...options }: JobOptions = {},
  ): Promise<Job> {
    const body = { command, ...commandFields(options), ...(openStdin && { open_stdin: true }) } as Schemas['StartJobDto'];
    const call = this.connection.api.POST('/sessions/{session_id}/jobs', {
      params: { path: { session_id: this.sandboxId } },
      body,
      signal,
      headers: keyHeader(idempotencyKey),
    });
    return this.get((await answerOf(call)).job_id);
  }

  /** A job by its id. It makes no call. */
  get(jobId: string): Job {
    return new Job(this.connection, this.sandboxId, jobId);
  }

  /** Lists the jobs that run, and those that have ended and were not removed. */
  async list({ signal }: CallOptions = {}): Promise<JobInfo[]> {
    const call = this.connection.api.GET('/sessions/{session_id}/jobs', {
      params: { path: { session_id: this.sandboxId } },
      signal,
    });
    return camelCased((await answerOf(call)).jobs);
  }
}

/** One job. It outlives the caller's connection, and restarts of the API. */
export class Job {
  private readonly params: { path: { session_id: string; job_id: string } };

  constructor(
    private readonly connection: Connection,
    sandboxId: string,
    readonly jobId: string,
  ) {
    this.params = { path: { session_id: sandboxId, job_id: jobId } };
  }

  getInfo(options: CallOptions = {}): Promise<JobInfo> {
    return this.look(0, options);
  }

  /** Waits until the job has ended. Its output is not read. */
  async wait(options: CallOptions = {}): Promise<JobInfo> {
    const reconnects = new Reconnects(options.signal);
    for (;;) {
      try {
        const info = await this.look(WAIT_SECONDS, options);
        if (info.state !== 'running') return info;
        reconnects.hasWorked();
      } catch (error) {
        await reconnects.pauseAfter(error);
      }
    }
  }

  /**
   * Reads the output of both streams as the job writes it. If the connection breaks, it goes on
   * after the last event, with another connection.
   */
  follow(options?: FollowOptions & { format?: 'text' }): AsyncGenerator<JobEvent, void, void>;
  follow(options: FollowOptions & { format: 'bytes' }): AsyncGenerator<JobEvent<Uint8Array>, void, void>;
  async *follow({ after, format, signal }: FollowOptions & { format?: OutputFormat } = {}): AsyncGenerator<
    JobEvent<string | Uint8Array>,
    void,
    void
  > {
    const reconnects = new Reconnects(signal);
    for (let last = after; ;) {
      try {
        for await (const event of this.events(last, format, signal)) {
          reconnects.hasWorked();
          last = 'id' in event ? event.id : last;
          yield event;
          if (event.type === 'end') return;
        }
      } catch (error) {
        await reconnects.pauseAfter(error);
      }
    }
  }

  /**
   * Reads the bytes of one stream, until the job has ended. If the connection breaks, they go on
   * with another one. That fails (RANGE_NOT_SATISFIABLE) if the job has dropped some meanwhile.
   * @returns the bytes, and the offset of the first of them
   */
  async bytes({ stream, offset, signal }: BytesOptions = {}): Promise<{ offset: number; body: ReadableStream<Uint8Array> }> {
    const open = (from: number | undefined): Promise<Response> =>
      this.connection.open('GET', `${this.path}/output`, {
        query: { stream, offset: from },
        headers: { Accept: 'application/octet-stream' },
        signal,
      });
    const response = await open(offset);
    const first = Number(response.headers.get('x-output-offset'));
    const body = resumedBytes(response.body!, async (received) => (await open(first + received)).body!, signal);
    return { offset: first, body };
  }

  /** Adds to the standard input of a job that was started with `openStdin`. */
  async write(data: string | Uint8Array, { eof = false, signal }: CallOptions & { eof?: boolean } = {}): Promise<void> {
    await this.connection.open('POST', `${this.path}/stdin`, {
      body: data as RequestBody,
      query: { eof: eof || undefined },
      headers: { 'Content-Type': 'application/octet-stream' },
      signal,
    });
  }

  /** Ends the standard input. */
  closeStdin(options: CallOptions = {}): Promise<void> {
    return this.write('', { eof: true, ...options });
  }

  /** Signals the job, as Ctrl-C in a terminal does. @param name such as `SIGINT` */
  async sendSignal(name: string, { signal }: CallOptions = {}): Promise<void> {
    const body = { signal: name } as Schemas['SignalDto'];
    await answerOf(this.connection.api.POST('/sessions/{session_id}/jobs/{job_id}/signal', { params: this.params, body, signal }));
  }

  /** Kills the job with everything it started, and forgets it with its output. */
  async kill({ signal }: CallOptions = {}): Promise<void> {
    await answerOf(this.connection.api.DELETE('/sessions/{session_id}/jobs/{job_id}', { params: this.params, signal }));
  }

  private async look(seconds: number, { signal }: CallOptions): Promise<JobInfo> {
    const params = { ...this.params, ...(seconds > 0 && { query: { wait_seconds: seconds } }) };
    return camelCased(await answerOf(this.connection.api.GET('/sessions/{session_id}/jobs/{job_id}', { params, signal })));
  }

  private get path(): string {
    const { session_id, job_id } = this.params.path;
    return `/sessions/${encodeURIComponent(session_id)}/jobs/${encodeURIComponent(job_id)}`;
  }

  private async *events(
    after: string | undefined,
    format: OutputFormat | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<JobEvent<string | Uint8Array>, void, void> {
    const response = await this.connection.open('GET', `${this.path}/output`, {
      query: { encoding: format === 'bytes' ? 'base64' : undefined },
      headers: { Accept: 'text/event-stream', ...(after !== undefined && { 'Last-Event-ID': after }) },
      signal,
    });
    for await (const { event, id, data } of serverEvents(response, 'end', signal))
      yield { type: event, ...outputOf(data as object, format), ...(event !== 'end' && { id }) } as JobEvent<string | Uint8Array>;
  }
}
