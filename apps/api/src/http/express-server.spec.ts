import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Express } from 'express';
import { TestApp } from '../../../../test/support/test-app';

describe('ExpressServerAdapter', () => {
  it('gives requests and responses Express’s prototypes before Express sees them', async () => {
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
});
