import type { Duplex, Readable } from 'node:stream';
import type { StreamHeader, StreamOffer, StreamOptions } from './stream-set';
import type { AgentConditions, FileRequest } from './file-requests';
import type { WorkspacePath } from '../paths/workspace-path';

/** A command that a shell runs, and where it runs. */
export interface ShellRequest {
  readonly command: string;
  /** `bash-or-sh`: bash if the image has it, else sh. */
  readonly shell: 'sh' | 'bash' | 'bash-or-sh';
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * One request on a channel, as agent/PROTOCOL.md names it. protocol.spec.ts holds the two and the
 * agent's table of operations together.
 */
export type AgentRequest =
  | (ShellRequest & {
      readonly op: 'exec';
      readonly timeout_ms: number;
      /** How many bytes are kept of each stream; null for every byte, at the reader's speed. */
      readonly max_output: number | null;
      readonly stdin: boolean;
    })
  | (ShellRequest & {
      readonly op: 'job_start';
      readonly job_id: string;
      readonly timeout_ms: number;
      /** How many bytes are kept of both streams together. */
      readonly max_output: number;
      readonly stdin: boolean;
      readonly open_stdin: boolean;
      /**
       * Gives the job a terminal instead of pipes. It ends if nobody reads it for `detached_ms`.
       */
      readonly terminal?: { readonly columns: number; readonly rows: number; readonly detached_ms: number };
    })
  /** Asks for the first of the names that is not a program of the session's own. */
  | { readonly op: 'own_programs'; readonly names: readonly string[]; readonly search_path?: string }
  /** `first` is true for one call in the life of the sandbox, over all its channels. */
  | { readonly op: 'mark_claimed' }
  /**
   * Writes files, by path, and those that hold certificates. `trusted` is false if the image has no
   * public certificates and `otherwise` has none in their place. Then those files are not written.
   */
  | {
      readonly op: 'provide_files';
      readonly files: Readonly<Record<string, string>>;
      readonly trust: { readonly directory: string; readonly certificates: string; readonly otherwise: string | null } | null;
    }
  | { readonly op: 'job_list' }
  | { readonly op: 'job_stat' | 'job_delete'; readonly job_id: string }
  | {
      readonly op: 'job_output';
      readonly job_id: string;
      readonly offsets: { readonly stdout?: number; readonly stderr?: number };
      readonly limit: number;
      readonly wait_ms: number;
    }
  | {
      readonly op: 'job_stream';
      readonly job_id: string;
      readonly stream: 'stdout' | 'stderr';
      /** Null for the oldest byte that is kept. */
      readonly offset: number | null;
      /** The most bytes of the answer, or null. */
      readonly limit: number | null;
      /** How long the agent sends what comes. After that it sends what is there, and ends. */
      readonly follow_ms: number;
    }
  | { readonly op: 'job_stdin'; readonly job_id: string; readonly eof: boolean }
  | { readonly op: 'job_resize'; readonly job_id: string; readonly columns: number; readonly rows: number }
  | { readonly op: 'job_signal'; readonly job_id: string; readonly signal: number }
  /** Asks how much the sandbox uses of its memory, CPUs and disk. */
  | { readonly op: 'usage' }
  /** Asks for the TCP ports on which programs listen. */
  | { readonly op: 'list_ports' }
  | (WorkspacePath & { readonly op: 'list'; readonly depth?: number; readonly limit?: number })
  | (WorkspacePath & {
      readonly op: 'read';
      readonly offset: number;
      readonly length: number | null;
      /** The most bytes of the part that is read; 0 for no bound. */
      readonly max_length: number;
      /** An entity tag. If the file's own tag differs, the whole file is read. */
      readonly if_range?: string;
      readonly lines?: readonly [number, number | null];
      /**
       * How many bytes of both ends of the part are sent. A file of at most `max_whole` bytes is
       * sent whole if it begins as one of `whole` (hexadecimal, a dot for any digit).
       */
      readonly excerpt?: {
        readonly head: number;
        readonly tail: number;
        readonly whole: readonly string[];
        readonly max_whole: number;
      };
    })
  | (WorkspacePath & { readonly op: 'write'; readonly max_size: number; readonly mode?: number } & AgentConditions)
  | (WorkspacePath & { readonly op: 'delete' } & AgentConditions)
  | FileRequest
  | (WorkspacePath & { readonly op: 'pack' | 'unpack'; readonly max_size: number; readonly max_entries: number });

export interface CallOptions {
  /**
   * The input of the request, sent as DATA while the agent gives credit, then EOF. If a stream
   * fails or breaks off, the request is cancelled and the stream's error is the call's. If the
   * request ends sooner, the stream is left paused: its owner drains or destroys it.
   */
  readonly input?: Buffer | Readable;
  /**
   * Takes output as it comes, in order within a stream. While a returned promise is pending, this
   * request gets no credit, so the sandbox's writer waits and no other request does. Throwing
   * cancels the request, and the thrown error is the call's.
   *
   * The chunk is a view of what was read from the sandbox. Copy what is kept past the return (or
   * the promise). Otherwise a frame of one byte may keep 64 KiB alive.
   */
  readonly onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void | Promise<void>;
  /**
   * Aborting cancels the request, so its processes die. The call then rejects with
   * CLIENT_CLOSED_REQUEST once the agent says so. If the request had ended just before, the call
   * resolves.
   */
  readonly signal?: AbortSignal;
  /**
   * After this long, to within a second, the request is cancelled and rejects with REQUEST_TIMEOUT.
   * If the agent does not end it within 5 s more, it rejects with SANDBOX_UNRESPONSIVE and the
   * channel is given up. Output that onOutput holds back counts too.
   */
  readonly deadlineMs: number;
  /**
   * After this long without output that onOutput takes, the request is cancelled in the same way.
   * Output counts in steps of 64 KiB.
   */
  readonly stallMs?: number;
}

/**
 * The way that frames take: `direct` by a Unix socket, `exec` by the engine's stream of the agent's
 * process.
 */
export type Transport = 'direct' | 'exec';

/** A live agent in a sandbox. Requests run side by side. */
export interface Channel {
  readonly transport: Transport;
  /** False once the channel is broken or closed. Then `sendRequest` rejects at once. */
  readonly open: boolean;
  /**
   * Makes a request. Resolves once all output has been consumed.
   * @returns the `ok` member of END. It is an object, but its members are hostile: check their
   *   types.
   * @throws RequestNotSentError if the channel was closed already. Nothing was sent, so another
   *   channel may be tried.
   * @throws SandboxError the agent's own error; SANDBOX_LOST if the channel closed after the
   *   request was sent; SANDBOX_UNRESPONSIVE if it was given up (about 10 s after the agent fell
   *   silent); TOO_MANY_COMMANDS past 128 requests at a time; and what CallOptions names
   */
  sendRequest(request: AgentRequest, options: CallOptions): Promise<Record<string, unknown>>;
  /**
   * Opens a stream of bytes to something in the sandbox (agent/PROTOCOL.md, "Streams"). Resolves
   * once the agent has it.
   * @returns the stream, and what the agent says of it, whose members are hostile. Ending the
   * stream half-closes it, destroying it resets it.
   * @throws RequestNotSentError if the channel was closed already
   * @throws StreamError if the agent refuses, or 256 streams are open
   */
  openStream(header: StreamHeader, options?: StreamOptions): Promise<{ stream: Duplex; facts: Record<string, unknown> }>;
  /** Sets who accepts or refuses the streams that the agent opens. Without it they are refused. */
  onStream(handler: (offer: StreamOffer) => void): void;
  /** Ends the agent. Open requests reject with SANDBOX_LOST, streams break off. */
  close(): void;
  /** Resolves once the channel is broken or closed. Never rejects. */
  readonly closed: Promise<void>;
}

/**
 * The channel was closed before the request was sent, so nothing ran. It is for code that opens
 * channels; no client ever sees it.
 */
export class RequestNotSentError extends Error {}
