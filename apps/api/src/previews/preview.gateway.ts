import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { type OpenPort, PortsService } from '@sandbox/orchestrator';
import { FailedAttempts } from '../auth/failed-attempts';
import { readToNowhere } from '../problems/lingering-close';
import { logFailure } from '../problems/log-failure';
import { toSandboxError } from '../problems/problem';
import { answerHeaders } from '../proxying/answer-headers';
import type { ClientSide } from '../proxying/client-side';
import { type Forwarded, forwardRequest, IDLE_UPGRADED_MS } from '../proxying/forward-request';
import { forwardUpgrade, responseOn } from '../proxying/forward-upgrade';
import { OwnCredentials } from '../proxying/own-credentials';
import { requestHeaders } from '../proxying/request-headers';
import { givenId } from '../request/request-id';
import type { ExpressServerAdapter, OtherHosts } from '../server/express-server';
import { GuessedKeys } from './guessed-keys';
import { PreviewHosts } from './preview-hosts';
import { sendPage } from './preview-pages';

/**
 * A page's address holds the token. So no other site may learn it from a link or a picture in the
 * page.
 */
const REFERRER_POLICY = ['Referrer-Policy', 'same-origin'] as const;

/**
 * Serves the host names of previews. It takes a request before Express, Nest, and everything that
 * holds for the API. The token in the name is the credential.
 */
@Injectable()
export class PreviewGateway implements OtherHosts, OnModuleInit {
  private readonly logger = new Logger('Previews');

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly hosts: PreviewHosts,
    private readonly ports: PortsService,
    private readonly credentials: OwnCredentials,
    private readonly failedAttempts: FailedAttempts,
    private readonly guessedKeys: GuessedKeys,
  ) {}

  onModuleInit(): void {
    (this.adapterHost.httpAdapter as ExpressServerAdapter).serveOtherHosts(this);
  }

  owns({ headers }: IncomingMessage): boolean {
    return this.hosts.owns(headers.host);
  }

  serveRequest(request: IncomingMessage, response: ServerResponse): void {
    this.logEnd(request, response, () => response.statusCode);
    void this.serve(
      request,
      () => response,
      (forwarded) => forwardRequest(request, response, forwarded),
    );
  }

  serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Without a listener, an error of the socket would end the process.
    socket.on('error', () => undefined);
    let response: ServerResponse | undefined;
    const respond = (): ServerResponse => (response ??= responseOn(socket, request));
    this.logEnd(request, socket, () => response?.statusCode ?? 101);
    const forward = (forwarded: Forwarded): Promise<void> => forwardUpgrade(socket, head, forwarded, respond);
    // As in `forwardUpgrade`, there may be no response.
    this.serve(request, respond, forward, IDLE_UPGRADED_MS).catch(() => socket.destroy());
  }

  /**
   * Forwards a request to the program of the preview, or answers why not.
   * @param respond gives the response, if the answer is one of HTTP
   * @param idleMs as OpenPort.connect
   */
  private async serve(
    request: IncomingMessage,
    respond: () => ServerResponse,
    forward: (forwarded: Forwarded) => Promise<void>,
    idleMs?: number,
  ): Promise<void> {
    let port: OpenPort | undefined;
    try {
      const name = this.hosts.parse(onlyHost(request));
      port = await this.ports.openByToken(name?.token ?? '', name?.port ?? 0);
      const path = pathOf(request);
      const withheld = new Set(await this.credentials.headersOf(request));
      if (!withheld.has('authorization')) this.guessedKeys.count(request);
      const side: ClientSide = { port: name!.port, prefix: '', withheld, passesExpect: true };
      const headers = requestHeaders(request, side);
      const connection = await port.connect(idleMs);
      await forward({ connection, port: name!.port, path, headers, writeHead: (response, answer) => writeHead(response, answer, side) });
    } catch (exception) {
      await this.refuse(request, respond(), toSandboxError(exception), port);
    }
  }

  private async refuse(request: IncomingMessage, response: ServerResponse, error: SandboxError, port: OpenPort | undefined): Promise<void> {
    let reason = error;
    let ports: number[] = [];
    if (error.code === ErrorCode.NOT_FOUND) reason = this.unknown(request, error);
    // That a program is not there yet is nothing for the operator.
    else if (error.code !== ErrorCode.PORT_UNREACHABLE) logFailure(error, givenId(request) ?? randomUUID());
    else {
      const listening = await port!.listPorts().catch((exception: unknown) => toSandboxError(exception));
      if (Array.isArray(listening)) ports = [...new Set(listening.map((each) => each.port))];
      else if (listening.code === ErrorCode.NOT_FOUND) reason = listening;
    }
    if (response.headersSent) return void response.destroy();
    readToNowhere(request);
    sendPage(response, reason, ports);
  }

  /** Counts a token that is worth nothing as a failed credential of its address. */
  private unknown({ socket }: IncomingMessage, error: SandboxError): SandboxError {
    const retryAfter = this.failedAttempts.noteFailure(socket.remoteAddress);
    if (retryAfter === null) return error;
    return new SandboxError(ErrorCode.RATE_LIMITED, 'Too many requests from this address for previews that do not exist.', { retryAfter });
  }

  /**
   * Writes one line once the connection or the answer has ended. No line holds a token or a path.
   */
  private logEnd(request: IncomingMessage, ending: Duplex | ServerResponse, status: () => number): void {
    const began = performance.now();
    ending.once('close', () => {
      this.logger.log({
        msg: 'preview request ended',
        port: this.hosts.parse(request.headers.host)?.port,
        method: request.method,
        status: status(),
        responseTime: Math.round(performance.now() - began),
      });
    });
  }
}

/** A request with several hosts is answered by none of them (RFC 9112, section 3.2). */
function onlyHost({ headersDistinct }: IncomingMessage): string | undefined {
  const hosts = headersDistinct.host ?? [];
  if (hosts.length > 1) throw new SandboxError(ErrorCode.BAD_REQUEST, 'The request names more than one host.');
  return hosts[0];
}

/** @returns the path with the query, as it came */
function pathOf({ url = '/', method }: IncomingMessage): string {
  if (url.startsWith('/') || (url === '*' && method === 'OPTIONS')) return url;
  throw new SandboxError(ErrorCode.BAD_REQUEST, 'The request has to name a path, without scheme and host.');
}

function writeHead(response: ServerResponse, answer: IncomingMessage, side: ClientSide): void {
  const headers = answerHeaders(answer.rawHeaders, side).filter(([name]) => name.toLowerCase() !== 'referrer-policy');
  response.writeHead(answer.statusCode!, [...headers, REFERRER_POLICY].flat());
}
