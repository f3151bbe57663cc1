import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { Logger } from '@nestjs/common';
import express from 'express';
import { EventStream } from './event-stream';

/** Real: Node's server, Express and a client of theirs. */

let server: Server;
let run: (events: EventStream) => void | Promise<void>;

beforeAll(async () => {
  Logger.overrideLogger(false);
  const app = express();
  app.get('/', (request, response) => {
    Object.assign(request, { id: 'request-1' });
    const events = new EventStream(response);
    void Promise.resolve(run(events)).then(() => events.endStream());
  });
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** The bytes of an answer with these events. */
async function answer(events: typeof run): Promise<Buffer> {
  run = events;
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  return Buffer.from(await response.arrayBuffer());
}

describe('EventStream', () => {
  it.each(['plain', 'é', 'ÿ', 'plain é', '€', '\u{1f600}', '日本', '\0\r\n\u2028', '\ud800', ''])(
    'sends an event with %j in UTF-8',
    async (data) => {
      const expected = `event: stdout\nid: 7-0\ndata: ${JSON.stringify({ data })}\n\n`;
      expect((await answer((events) => void events.sendEvent('stdout', { data }, '7-0'))).toString('hex')).toBe(
        Buffer.from(expected, 'utf8').toString('hex'),
      );
    },
  );

  it('sends each event in its own encoding when encodings differ', async () => {
    const bytes = await answer((events) => {
      for (const data of ['a', 'é', 'b', '€', 'ü']) void events.sendEvent('stdout', { data });
    });
    expect(new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toBe(
      ['a', 'é', 'b', '€', 'ü'].map((data) => `event: stdout\ndata: {"data":"${data}"}\n\n`).join(''),
    );
  });

  it('ends with a problem when the work fails', async () => {
    const bytes = await answer((events) => events.sendProblem(new SandboxError(ErrorCode.JOB_LOST, 'It is gone: é.')));
    const [, data] = /^event: error\ndata: (.*)\n\n$/.exec(bytes.toString())!;
    expect(JSON.parse(data!)).toMatchObject({ code: 'JOB_LOST', detail: 'It is gone: é.', request_id: 'request-1' });
  });
});
