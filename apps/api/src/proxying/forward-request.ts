import { type ClientRequest, type IncomingMessage, request as sendRequest, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { readToNowhere } from '../problems/lingering-close';

/** The most that a program's headers may have. Node's default is too little for some policies. */
const MAX_HEADER_BYTES = 64 * 1024;
/** The most interim answers (1xx) that a program may give. Each costs work here. */
const MAX_INTERIM_ANSWERS = 16;
/** How long a program may take to close a connection after its answer. */
const CLOSE_MS = 5_000;
/** How long a WebSocket may carry nothing. */
export const IDLE_UPGRADED_MS = 3_600_000;

/** A request as the program gets it, and what is done with its answer. */
export interface Forwarded {
  /** The connection to the program. It serves this one request. */
  readonly connection: Duplex;
  readonly port: number;
  readonly path: string;
  readonly headers: readonly string[];
  /** Writes the head of the answer. */
  readonly writeHead: (response: ServerResponse, answer: IncomingMessage) => void;
}

/**
 * Sends a client's request to a program and the answer back, both as they come. Each way goes at
 * the speed of the slower side. If either side breaks off, so does the other.
 *
 * Node's parser reads both strictly and writes both anew. So what one side sees as one message is
 * one message for the other side too (RFC 9112, section 11).
 * @returns when the answer has begun, or the client is gone
 * @throws SandboxError PORT_UNREACHABLE if the program does not answer in HTTP; nothing was written
 */
export function forwardRequest(request: IncomingMessage, response: ServerResponse, forwarded: Forwarded): Promise<void> {
  return asking(forwarded, (resolve, reject) => {
    const upstream = openRequest(request.method!, forwarded);
    // The program may wait for the headers before it wants the content.
    upstream.flushHeaders();
    // Once: a program could repeat it without end, whether the client takes it or not.
    upstream.once('continue', () => {
      if (request.headers.expect !== undefined) response.writeContinue();
    });
    // A program may answer and close the connection while there is still content for it. If the
    // answer is not whole then, `sendAnswer` breaks it off.
    upstream.on('error', reject);
    // Without an error, if the program switches to a protocol that nobody asked for.
    upstream.on('close', () => reject(new Error('The connection was closed.')));
    upstream.on('response', (answer) => {
      if (sendAnswer(answer, response, forwarded)) resolve();
      else upstream.destroy(new Error('The head of the answer cannot be passed on.'));
    });
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
      else if (!request.complete) readToNowhere(request);
      setTimeout(() => forwarded.connection.destroy(), CLOSE_MS).unref();
      resolve();
    });
    if (response.destroyed) upstream.destroy();
    else request.pipe(upstream);
  });
}

/**
 * Waits for a program's answer. If there is none, it closes the connection.
 * @throws SandboxError PORT_UNREACHABLE
 */
export async function asking(
  { connection, port }: Forwarded,
  work: (resolve: () => void, reject: (error: unknown) => void) => void,
): Promise<void> {
  try {
    // Node's client would wait for ever for a connection that has told of its end already.
    if (connection.destroyed) throw new Error('The connection was closed.');
    await new Promise<void>(work);
  } catch (cause) {
    connection.destroy();
    throw new SandboxError(ErrorCode.PORT_UNREACHABLE, `The program on port ${port} gave no answer in HTTP.`, { cause });
  }
}

/** Begins a request to the program. */
export function openRequest(method: string, { connection, path, headers }: Forwarded): ClientRequest {
  const upstream = sendRequest({
    createConnection: () => connection,
    method,
    path,
    headers,
    setHost: false,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  // As for requests (server-limits.ts): no header gets lost.
  upstream.maxHeadersCount = 0;
  let interim = 0;
  upstream.on('information', () => {
    interim += 1;
    if (interim > MAX_INTERIM_ANSWERS) upstream.destroy(new Error('The program gives interim answers without end.'));
  });
  return upstream;
}

/**
 * Sends the program's answer to the client.
 * @returns false if its head is none that Node writes, such as one with the status 99
 */
export function sendAnswer(answer: IncomingMessage, response: ServerResponse, { writeHead }: Forwarded): boolean {
  // An answer that is cut off on one side has to be seen as such on the other.
  answer.on('error', () => {
    if (response.headersSent) response.destroy();
  });
  try {
    if (answer.statusCode! < 200) return false;
    writeHead(response, answer);
    // Events and long polls may have no content for a long time.
    response.flushHeaders();
  } catch {
    return false;
  }
  answer.pipe(response);
  return true;
}
