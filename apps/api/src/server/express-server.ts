import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express } from 'express';

/**
 * Serves requests for host names that are not the API's. Nothing that holds for the API holds
 * there.
 */
export interface OtherHosts {
  /** Decides by the Host header alone. It is asked before anything else looks at the request. */
  owns(request: IncomingMessage): boolean;
  serveRequest(request: IncomingMessage, response: ServerResponse): void;
  /** Takes over a connection that asks for a WebSocket. */
  serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/**
 * Runs Express on a server whose requests and responses have Express's own methods from the start.
 *
 * Express normally changes the prototype of each request. V8 cannot optimise that: every later
 * access misses its inline caches, which costs a fifth of the CPU time of a short call. If the
 * prototype is already the one that Express wants, its change has no effect.
 */
export class ExpressServerAdapter extends ExpressAdapter {
  private otherHosts: OtherHosts | null = null;

  serveOtherHosts(hosts: OtherHosts): void {
    this.otherHosts = hosts;
  }

  /** Returns who serves the host name of the request; null if the API does. */
  otherHostOf(request: IncomingMessage): OtherHosts | null {
    return this.otherHosts?.owns(request) ? this.otherHosts : null;
  }

  override initHttpServer(): void {
    const express = this.getInstance<Express>();
    class Request extends IncomingMessage {
      private offered = false;

      /**
       * Whether Node hands the request to its `upgrade` listener. Any other offer is ignored, such
       * as h2c by `curl --http2` and Java (RFC 9110, section 7.8).
       */
      get upgrade(): boolean {
        return this.offered && (this.method === 'CONNECT' || asksForWebSocket(this));
      }

      set upgrade(offered: boolean) {
        this.offered = offered;
      }
    }
    class Response extends ServerResponse {}
    adopt(express, 'request', Request);
    adopt(express, 'response', Response);
    const types = { IncomingMessage: Request as typeof IncomingMessage, ServerResponse: Response };
    const server = createServer(types, (request, response) => {
      const other = this.otherHostOf(request);
      if (other === null) express(request, response);
      else other.serveRequest(request, response);
    });
    // Another host's program decides whether the client may send the content.
    server.on('checkContinue', (request, response) => {
      if (this.otherHostOf(request) === null) response.writeContinue();
      server.emit('request', request, response);
    });
    this.httpServer = server;
  }
}

/** Only a GET does (RFC 6455, section 4.1). Content in it would be taken for messages. */
function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  const hasContent = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return method === 'GET' && !hasContent && /^websocket$/i.test(headers.upgrade ?? '');
}

/** Makes a class's prototype the one that the application gives to its requests (or responses). */
function adopt(express: Express, kind: 'request' | 'response', type: { readonly prototype: object }): void {
  const methods = express[kind] as object;
  Object.setPrototypeOf(type.prototype, Object.getPrototypeOf(methods) as object);
  // They include `app`, by which Express finds the application from a request.
  Object.defineProperties(type.prototype, Object.getOwnPropertyDescriptors(methods));
  express[kind] = type.prototype as never;
}
