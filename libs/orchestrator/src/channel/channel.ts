import type { Readable } from 'node:stream';

/** One request on a channel, as the agent's protocol names it (agent/PROTOCOL.md). */
export type AgentRequest =
  | {
      readonly op: 'exec';
      readonly command: string;
      readonly shell: 'sh' | 'bash';
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      readonly timeout_ms: number;
      readonly max_output: number;
      readonly stdin: boolean;
    }
  | { readonly op: 'list'; readonly path: string }
  | { readonly op: 'read'; readonly path: string; readonly offset: number; readonly length: number | null; readonly max_size: number }
  | { readonly op: 'write'; readonly path: string; readonly max_size: number }
  | { readonly op: 'delete'; readonly path: string };

export interface CallOptions {
  /** Sent as DATA under the agent's credit, then EOF. A stream that errors cancels the request. */
  readonly input?: Buffer | Readable;
  /**
   * Takes output as it comes. A promise returned holds back this request's credit, so the sandbox's writer waits; nobody else does.
   * Throwing cancels the request.
   */
  readonly onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void | Promise<void>;
  /** Aborting cancels the request: its processes die. The call then rejects with CLIENT_CLOSED_REQUEST once the agent says so. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which a request that has not ended is given up: it is cancelled, and where even that is not answered the channel is broken. */
  readonly deadlineMs: number;
}

/** A live agent in a sandbox. Requests run side by side. */
export interface Channel {
  /** False once broken or closed; then `call` rejects at once. */
  readonly open: boolean;
  /**
   * Resolves with the END's `ok` member (an object; its members are still hostile: check their types). Rejects with SandboxError: the agent's
   * own error; SANDBOX_LOST where the channel broke after the request was sent; SANDBOX_UNRESPONSIVE where the agent does not answer
   * pings; NotSentError's code CHANNEL_CLOSED is never seen by a client: the request was not sent and may be tried on a new channel.
   */
  call(request: AgentRequest, options: CallOptions): Promise<Record<string, unknown>>;
  /** Ends the agent; open requests reject with SANDBOX_LOST. */
  close(): void;
  /** Resolves once the channel is broken or closed. Never rejects. */
  readonly closed: Promise<void>;
}

/** The channel was closed before the request went out: nothing ran, so another channel may be tried. */
export class RequestNotSentError extends Error {}
