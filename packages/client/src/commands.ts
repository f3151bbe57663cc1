import { answerOf, type CallOptions, type Connection } from './connection.ts';
import { type IdempotencyOptions, keyHeader } from './idempotency.ts';
import { type CamelCased, camelCased, snakeCased } from './naming.ts';
import type { components } from './schema.ts';
import { serverEvents } from './server-events.ts';

type Schemas = components['schemas'];

/** How a command ended. A command that fails is a result, too: look at `exitCode`. */
export type CommandResult = CamelCased<Schemas['ExecuteResultDto']>;
/** What a streamed command begins with. */
export type CommandStart = CamelCased<Schemas['ExecuteStartDto']>;
/** How a streamed command ended, without its output. */
export type CommandExit = CamelCased<Schemas['ExecuteExitDto']>;

/** One step of a streamed command. `exit` is the last one. */
export type CommandEvent<Data = string> =
  ({ type: 'start' } & CommandStart) | { type: 'stdout' | 'stderr'; data: Data } | ({ type: 'exit' } & CommandExit);

export interface CommandOptions extends CallOptions {
  /** Directory in which it starts: absolute, or relative to `/workspace`. */
  cwd?: string;
  /** Environment variables. */
  envs?: Record<string, string>;
  /** Text for its standard input. */
  stdin?: string;
  /**
   * Milliseconds, at least 1,000, until it is killed with all that it started. Then the result has
   * `timedOut`.
   */
  timeoutMs?: number;
  shell?: NonNullable<Schemas['ExecuteDto']['shell']>;
}

export interface RunOptions extends CommandOptions, IdempotencyOptions {
  /** Takes output while the command runs. The result then has the whole output, uncut. */
  onStdout?: (data: string) => void;
  onStderr?: (data: string) => void;
}

/** Runs commands that end with the call. `sandbox.jobs` has those that go on. */
export class Commands {
  constructor(
    private readonly connection: Connection,
    private readonly sandboxId: string,
  ) {}

  /**
   * Runs a command to its end. Without an `idempotencyKey`, it ends if the caller leaves, and it is
   * not run again if the connection breaks.
   * @throws CommandNotAllowedError if the operator's rules do not allow it
   */
  async run(command: string, options: RunOptions = {}): Promise<CommandResult> {
    if (options.onStdout ?? options.onStderr) return this.runStreamed(command, options);
    const body = this.body(command, options);
    const { signal, idempotencyKey } = options;
    const call = this.connection.api.POST('/execute', { body, signal, headers: keyHeader(idempotencyKey) });
    // The answer is a text only if it was asked for as events.
    return camelCased(await answerOf(call)) as CommandResult;
  }

  /**
   * Runs a command and returns its output as it comes. A caller that reads slowly makes the command
   * wait. Leaving the loop ends the command.
   * @param options `format`: `bytes` for output that is no text
   */
  stream(command: string, options?: CommandOptions & { format?: 'text' }): AsyncGenerator<CommandEvent, void, void>;
  stream(command: string, options: CommandOptions & { format: 'bytes' }): AsyncGenerator<CommandEvent<Uint8Array>, void, void>;
  async *stream(
    command: string,
    { format, ...options }: CommandOptions & { format?: OutputFormat } = {},
  ): AsyncGenerator<CommandEvent<string | Uint8Array>, void, void> {
    // The API refuses a key here, and says what to do instead.
    const { signal, idempotencyKey }: RunOptions = options;
    const response = await this.connection.open('POST', '/execute', {
      body: JSON.stringify({ ...this.body(command, options), ...(format === 'bytes' && { encoding: 'base64' }) }),
      headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...keyHeader(idempotencyKey) },
      signal,
    });
    for await (const { event, data } of serverEvents(response, 'exit', signal))
      yield { type: event, ...outputOf(data as object, format) } as CommandEvent<string | Uint8Array>;
  }

  private async runStreamed(command: string, { onStdout, onStderr, ...options }: RunOptions): Promise<CommandResult> {
    const take = { stdout: onStdout, stderr: onStderr };
    const text = { stdout: '', stderr: '' };
    const result: Partial<CommandResult> = {};
    for await (const event of this.stream(command, options)) {
      if (event.type === 'stdout' || event.type === 'stderr') {
        text[event.type] += event.data;
        take[event.type]?.(event.data);
      } else {
        const { type: _, ...fields } = event;
        Object.assign(result, fields);
      }
    }
    return { ...result, ...text } as CommandResult;
  }

  private body(command: string, options: CommandOptions): Schemas['ExecuteDto'] {
    return { session_id: this.sandboxId, command, ...commandFields(options) } as Schemas['ExecuteDto'];
  }
}

/** Turns the options of a command or a job into fields of the API. */
export function commandFields({ cwd, envs, stdin, timeoutMs, shell }: CommandOptions): Record<string, unknown> {
  return snakeCased({ workingDir: cwd, env: envs, stdin, timeout: timeoutMs === undefined ? undefined : timeoutMs / 1_000, shell });
}

/** How output is handed out: text, in which bytes that are no UTF-8 are replaced, or bytes. */
export type OutputFormat = 'text' | 'bytes';

/** Reads the data of an event, and decodes its output if it was asked for as bytes. */
export function outputOf(data: object, format: OutputFormat | undefined): object {
  if (format !== 'bytes' || !('data' in data)) return camelCased(data);
  return { ...data, data: Uint8Array.from(atob(data.data as string), (byte) => byte.charCodeAt(0)) };
}
