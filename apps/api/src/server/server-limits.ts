import { randomUUID } from 'node:crypto';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { toProblem } from '../problems/problem';
import { rawProblem } from './raw-response';

/** The error code of Node's parser for headers over its limit. */
const HEADERS_TOO_LONG = 'HPE_HEADER_OVERFLOW';

const HEADERS_TIMEOUT_MS = 15_000;
/**
 * A request has to arrive whole within this time. If files or archives may be large, a client has
 * longer: one millisecond for this many bytes.
 */
const MIN_REQUEST_TIMEOUT_MS = 60_000;
const MAX_REQUEST_TIMEOUT_MS = 300_000;
const MIN_BYTES_PER_MS = 128;
/**
 * Longer than the 60 s of the usual load balancers. Otherwise they may send a request on a
 * connection that is just being closed.
 */
const KEEP_ALIVE_MS = 65_000;
/**
 * A connection is taken for dead if nothing moves on it for this long plus the longest command's
 * time.
 */
const MAX_SILENCE_MS = 120_000;

type Limits = Pick<Config, 'WORKSPACE_MAX_FILE_SIZE_BYTES' | 'ARCHIVE_MAX_BYTES' | 'MAX_EXEC_TIMEOUT_SECONDS'>;

/**
 * Bounds how much of the server's time a client may take. It also answers with a problem document
 * if what the client sends cannot be parsed as a request.
 */
export function limitServer(server: Server, config: Limits): void {
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = requestTimeout(config);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  // Their size is bounded. Node would drop all past a number, and so what says how long the content
  // is.
  server.maxHeadersCount = 0;
  server.timeout = config.MAX_EXEC_TIMEOUT_SECONDS * 1000 + MAX_SILENCE_MS;
  const underWay = new WeakMap<Socket, ServerResponse>();
  server.on('request', (request, response) => {
    underWay.set(request.socket, response);
    response.once('close', () => underWay.delete(request.socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const begun = underWay.get(socket)?.headersSent === true;
    if (begun || !socket.writable) socket.destroy();
    else socket.write(answer(error.code), () => socket.destroySoon());
  });
}

function requestTimeout({ WORKSPACE_MAX_FILE_SIZE_BYTES: maxFileBytes, ARCHIVE_MAX_BYTES: maxArchiveBytes }: Limits): number {
  if (maxFileBytes === 0) return MAX_REQUEST_TIMEOUT_MS;
  const maxBytes = Math.max(maxFileBytes, maxArchiveBytes);
  return Math.min(MAX_REQUEST_TIMEOUT_MS, Math.max(MIN_REQUEST_TIMEOUT_MS, maxBytes / MIN_BYTES_PER_MS));
}

/** Builds the answer to bytes that could not be parsed. There is no response object for them. */
function answer(reason: string | undefined): string {
  const problem = toProblem(describe(reason), randomUUID());
  // RFC 6585, section 5, has a status of its own for it.
  return rawProblem(reason === HEADERS_TOO_LONG ? { ...problem, status: 431 } : problem);
}

function describe(reason: string | undefined): SandboxError {
  if (reason === 'ERR_HTTP_REQUEST_TIMEOUT') return new SandboxError(ErrorCode.REQUEST_TIMEOUT, 'The request did not come whole in time.');
  if (reason === HEADERS_TOO_LONG) return new SandboxError(ErrorCode.BAD_REQUEST, 'URL and headers together are too long.');
  return new SandboxError(ErrorCode.BAD_REQUEST, 'This is not an HTTP request that can be understood.');
}
