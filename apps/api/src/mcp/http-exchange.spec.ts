import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import express from 'express';
import { SILENCE_MS } from '../request/event-stream';
import { HttpExchange } from './http-exchange';

/** Node’s server, Express and their client are real. The tests move the time. */

const REQUEST = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: {} } as const;
const RESULT: JSONRPCMessage = { jsonrpc: '2.0', id: 7, result: { content: [] } };
const NOTE: JSONRPCMessage = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } };
const BOTH = 'application/json, text/event-stream';

let server: Server;
let begun: (exchange: HttpExchange) => void;

beforeAll(async () => {
  const app = express();
  app.post('/', (request, response) => begun(new HttpExchange(REQUEST, request, response, undefined)));
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => {
  const others = ['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const;
  jest.useFakeTimers({ doNotFake: [...others, 'setImmediate', 'clearImmediate', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => jest.useRealTimers());
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** An answer while it comes in. */
interface Incoming {
  readonly response: Promise<Response>;
  /** The next bytes; empty at the end. */
  next(): Promise<string>;
}

async function post(accept: string | undefined): Promise<{ exchange: HttpExchange; answer: Incoming }> {
  const exchange = new Promise<HttpExchange>((resolve) => (begun = resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const response = fetch(url, { method: 'POST', headers: accept === undefined ? {} : { Accept: accept } });
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const next = async (): Promise<string> => {
    reader ??= (await response).body!.getReader();
    return Buffer.from((await reader.read()).value ?? []).toString();
  };
  return { exchange: await exchange, answer: { response, next } };
}

async function rest({ next }: Incoming): Promise<string> {
  let text = '';
  for (let piece = await next(); piece !== ''; piece = await next()) text += piece;
  return text;
}

const event = (message: JSONRPCMessage): string => `event: message\ndata: ${JSON.stringify(message)}\n\n`;

describe('HttpExchange', () => {
  it.each([[BOTH], ['application/json'], ['*/*'], [undefined], ['text/html'], ['text/event-stream;q=0, */*']])(
    'answers plain JSON when the answer comes soon: Accept %s',
    async (accept) => {
      const { exchange, answer } = await post(accept);
      await exchange.send(RESULT);
      const { status, headers } = await answer.response;
      expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
      expect(JSON.parse(await rest(answer))).toEqual(RESULT);
      await exchange.answered;
    },
  );

  it('answers with an event when the client takes nothing else', async () => {
    const { exchange, answer } = await post('text/event-stream');
    await exchange.send(RESULT);
    expect((await answer.response).headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(await rest(answer)).toBe(event(RESULT));
  });

  it('answers with events when there is a note', async () => {
    const { exchange, answer } = await post(BOTH);
    await exchange.send(NOTE);
    expect(await answer.next()).toBe(event(NOTE));
    await exchange.send(RESULT);
    expect(await rest(answer)).toBe(event(RESULT));
  });

  it.each([['application/json'], ['*/*'], [undefined]])('sends no notes when the client takes no events: Accept %s', async (accept) => {
    const { exchange, answer } = await post(accept);
    await exchange.send(NOTE);
    await exchange.send(RESULT);
    expect(JSON.parse(await rest(answer))).toEqual(RESULT);
  });

  it('sends a comment, and another, when it is silent for long', async () => {
    const { exchange, answer } = await post(BOTH);
    for (let silence = 0; silence < 3; silence++) {
      jest.advanceTimersByTime(SILENCE_MS);
      expect(await answer.next()).toBe(': still here\n\n');
    }
    await exchange.send(RESULT);
    expect(await rest(answer)).toBe(event(RESULT));
  });

  it('sends spaces when it is silent for long and the client takes no events', async () => {
    const { exchange, answer } = await post('application/json');
    for (let silence = 0; silence < 3; silence++) {
      jest.advanceTimersByTime(SILENCE_MS);
      expect(await answer.next()).toBe(' ');
    }
    expect((await answer.response).headers.get('content-type')).toBe('application/json');
    await exchange.send(RESULT);
    expect(JSON.parse(await rest(answer))).toEqual(RESULT);
  });

  it('sends nothing when the silence is short or the answer is out', async () => {
    const { exchange, answer } = await post(BOTH);
    jest.advanceTimersByTime(SILENCE_MS - 1);
    await exchange.send(RESULT);
    expect((await answer.response).headers.get('content-type')).toBe('application/json');
    await exchange.answered;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps no timer, and still takes an answer, when the client has gone', async () => {
    const exchange = new Promise<HttpExchange>((resolve) => (begun = resolve));
    const gone = new AbortController();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const response = fetch(url, { method: 'POST', headers: { Accept: BOTH }, signal: gone.signal });
    const left = await exchange;
    gone.abort();
    await expect(response).rejects.toThrow();
    await left.answered;
    expect(jest.getTimerCount()).toBe(0);
    await left.send(NOTE);
    await left.send(RESULT);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('SILENCE_MS', () => {
  it('is shorter than the ten seconds that the API promises', () => {
    expect(SILENCE_MS).toBeLessThan(10_000);
  });
});
