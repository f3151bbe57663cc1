import { randomUUID } from 'node:crypto';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { toProblem } from '../errors/problem';
import { rawProblem } from './raw-response';

/** What Node's parser says of headers past its limit. */
const HEADERS_TOO_LONG = 'HPE_HEADER_OVERFLOW';

const HEADERS_TIMEOUT_MS = 15_000;
/** A request has to be there whole by then; longer where files or archives may be large, at this many bytes a millisecond. */
const MIN_REQUEST_TIMEOUT_MS = 60_000;
const MAX_REQUEST_TIMEOUT_MS = 300_000;
const MIN_BYTES_PER_MS = 128;
/** Above the 60 s of the usual load balancers, which else send a request on a connection that is just being closed. */
const KEEP_ALIVE_MS = 65_000;
/** A connection on which nothing has moved for so long, and for the longest command besides, has nobody at its other end. */
const MAX_SILENCE_MS = 120_000;

type Limits = Pick<Config, 'WORKSPACE_MAX_FILE_SIZE_BYTES' | 'ARCHIVE_MAX_BYTES' | 'MAX_EXEC_TIMEOUT_SECONDS'>;

/** Bounds what a client may take of the server's time, and answers what never becomes a request with a problem document too. */
export function limitServer(server: Server, config: Limits): void {
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = requestTimeout(config);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
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

/** What could not be parsed has no response object. */
function answer(reason: string | undefined): string {
  const problem = toProblem(describe(reason), randomUUID());
  // RFC 6585 has a status of its own for it.
  return rawProblem(reason === HEADERS_TOO_LONG ? { ...problem, status: 431 } : problem);
}

function describe(reason: string | undefined): SandboxError {
  if (reason === 'ERR_HTTP_REQUEST_TIMEOUT') return new SandboxError(ErrorCode.REQUEST_TIMEOUT, 'The request did not come whole in time.');
  if (reason === HEADERS_TOO_LONG) return new SandboxError(ErrorCode.BAD_REQUEST, 'URL and headers together are too long.');
  return new SandboxError(ErrorCode.BAD_REQUEST, 'This is not an HTTP request that can be understood.');
}
