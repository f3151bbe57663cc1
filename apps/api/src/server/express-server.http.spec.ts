import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Express } from 'express';
import { TestApp } from '../../../../test/support/test-app';

describe('ExpressServerAdapter', () => {
  it('gives requests and responses Express’s prototypes when they are created', async () => {
    const app = await TestApp.start();
    try {
      const express = app.app.getHttpAdapter().getInstance() as Express;
      const born: boolean[] = [];
      (app.app.getHttpServer() as Server).prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
        born.push(Object.getPrototypeOf(request) === express.request, Object.getPrototypeOf(response) === express.response);
      });
      expect((await app.fetch('/health')).status).toBe(200);
      expect(born).toEqual([true, true]);
    } finally {
      await app.stop();
    }
  });

  it('ignores an upgrade when it offers another protocol than WebSocket', async () => {
    const app = await TestApp.start();
    try {
      const client = connect(app.port, '127.0.0.1');
      const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA';
      client.write(`GET /health HTTP/1.1\r\nHost: x\r\n${offer}\r\n\r\n`);
      expect(String(await once(client, 'data'))).toMatch(/^HTTP\/1\.1 200 /);
      client.write(`POST /execute HTTP/1.1\r\nHost: x\r\n${offer}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`);
      expect(String(await once(client, 'data'))).toMatch(/^HTTP\/1\.1 401 /);
      // A WebSocket begins with a GET that has no content.
      const webSocket = 'Connection: Upgrade\r\nUpgrade: websocket';
      for (const method of ['POST', 'GET']) {
        client.write(
          `${method} /sessions HTTP/1.1\r\nHost: x\r\n${webSocket}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
        );
        expect(String(await once(client, 'data'))).toMatch(/^HTTP\/1\.1 401 [^]*Connection: keep-alive/);
      }
      client.destroy();
    } finally {
      await app.stop();
    }
  });

  it('closes the connection when an upgrade is refused', async () => {
    const app = await TestApp.start();
    try {
      const client = connect({ port: app.port, host: '127.0.0.1', allowHalfOpen: true });
      client.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      expect(await text(client)).toMatch(/^HTTP\/1\.1 404 [^]*X-Request-Id: /);
      const server = app.app.getHttpServer() as Server;
      const open = (): Promise<number> => new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
      while ((await open()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      client.destroy();
    } finally {
      await app.stop();
    }
  });
});
