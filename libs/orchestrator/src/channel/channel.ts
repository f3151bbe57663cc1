import type { Readable } from 'node:stream';
import type { AgentConditions, FileRequest } from './file-requests';
import type { WorkspacePath } from '../paths/workspace-path';

/** What a shell is to run, and where. */
export interface ShellRequest {
  readonly command: string;
  /** `bash-or-sh`: bash if the image has it, else sh. */
  readonly shell: 'sh' | 'bash' | 'bash-or-sh';
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** One request on a channel, as the agent's protocol names it (agent/PROTOCOL.md). */
export type AgentRequest =
  | (ShellRequest & {
      readonly op: 'exec';
      readonly timeout_ms: number;
      /** Bytes kept of each stream; null for every byte, at the reader's speed. */
      readonly max_output: number | null;
      readonly stdin: boolean;
    })
  | (ShellRequest & {
      readonly op: 'job_start';
      readonly job_id: string;
      readonly timeout_ms: number;
      /** Bytes kept of both streams together. */
      readonly max_output: number;
      readonly stdin: boolean;
      readonly open_stdin: boolean;
      /** Instead of pipes; one that nobody reads for so long ends. */
      readonly terminal?: { readonly columns: number; readonly rows: number; readonly detached_ms: number };
    })
  /** `first` is true for one call in the life of the sandbox, over all its channels. */
  | { readonly op: 'mark_claimed' }
  | { readonly op: 'job_list' }
  | { readonly op: 'job_stat' | 'job_delete'; readonly job_id: string }
  | {
      readonly op: 'job_output';
      readonly job_id: string;
      readonly offsets: { readonly stdout?: number; readonly stderr?: number };
      readonly limit: number;
      readonly wait_ms: number;
    }
  | { readonly op: 'job_stdin'; readonly job_id: string; readonly eof: boolean }
  | { readonly op: 'job_resize'; readonly job_id: string; readonly columns: number; readonly rows: number }
  | { readonly op: 'job_signal'; readonly job_id: string; readonly signal: number }
  | (WorkspacePath & { readonly op: 'list'; readonly depth?: number; readonly limit?: number })
  | (WorkspacePath & {
      readonly op: 'read';
      readonly offset: number;
      readonly length: number | null;
      /** Most bytes of the part that is read; 0 for no bound. */
      readonly max_length: number;
      /** An entity tag: the whole file is read if its own is another. */
      readonly if_range?: string;
      readonly lines?: readonly [number, number | null];
      /**
       * Bytes of both ends of the part that are sent, or all of a file up to a size that begins as
       * one of `whole` (hexadecimal, a dot for any digit).
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
   * Sent as DATA under the agent's credit, then EOF. A stream that errors or breaks off cancels the
   * request, and its error is the call's. A request that ends sooner leaves the stream paused: its
   * owner drains or destroys it.
   */
  readonly input?: Buffer | Readable;
  /**
   * Takes output as it comes; in order within a stream. A promise returned holds back this
   * request's credit, so the sandbox's writer waits; nobody else does. Throwing cancels the
   * request, and what was thrown is the call's error. The chunk is a view of what was read from the
   * sandbox: copy what is kept past the return (or the promise), or a frame of one byte may keep 64
   * KiB alive.
   */
  readonly onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void | Promise<void>;
  /**
   * Aborting cancels the request: its processes die. The call then rejects with
   * CLIENT_CLOSED_REQUEST once the agent says so, or resolves where the request had ended just
   * before.
   */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds, kept to within a second, after which the request is cancelled: it then rejects
   * with REQUEST_TIMEOUT, or, where the agent does not end it within 5 s more, with
   * SANDBOX_UNRESPONSIVE as the channel is given up. Output held back by onOutput counts.
   */
  readonly deadlineMs: number;
  /**
   * Milliseconds after which the request is cancelled likewise, if onOutput has taken nothing for
   * so long. Output counts in steps of 64 KiB.
   */
  readonly stallMs?: number;
}

/** A live agent in a sandbox. Requests run side by side. */
export interface Channel {
  /** False once broken or closed; then `call` rejects at once. */
  readonly open: boolean;
  /**
   * Resolves with the END's `ok` member, once all output has been consumed (an object; its members
   * are still hostile: check their types).
   *
   * Rejects with RequestNotSentError where the channel was closed already: nothing was sent, and
   * another channel may be tried. Else with SandboxError: the agent's own error; SANDBOX_LOST where
   * the channel closed after the request was sent, SANDBOX_UNRESPONSIVE where it was given up
   * (about 10 s after the agent fell silent); TOO_MANY_COMMANDS past 128 requests at a time; and as
   * CallOptions says.
   */
  call(request: AgentRequest, options: CallOptions): Promise<Record<string, unknown>>;
  /** Ends the agent; open requests reject with SANDBOX_LOST. */
  close(): void;
  /** Resolves once the channel is broken or closed. Never rejects. */
  readonly closed: Promise<void>;
}

/**
 * The channel was closed before the request went out: nothing ran. For whoever opens channels; no
 * client ever sees it.
 */
export class RequestNotSentError extends Error {}
