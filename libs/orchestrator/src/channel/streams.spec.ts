import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Channel } from './channel';
import { openChannel } from './agent-channel';
import { encodeNumber, STREAM_WINDOW_BYTES, StreamFrame, WIDE_STREAM_WINDOW_BYTES } from './frames';
import { StreamError } from './stream-error';
import { MAX_STREAMS, type StreamOffer } from './stream-set';
import { FakeAgent, settle } from './testing/fake-agent';

let agent: FakeAgent;
let channel: Channel;

beforeEach(async () => {
  agent = new FakeAgent();
  channel = await openChannel(agent.process);
});
afterEach(() => channel.close());

const framesOf = (type: number, id?: number) => agent.framesOf(type, id);
const sent = (id: number): Buffer => Buffer.concat(framesOf(StreamFrame.DATA, id).map(({ payload }) => payload));
const resets = (id: number): unknown[] => framesOf(StreamFrame.RESET, id).map(({ payload }) => JSON.parse(payload.toString()).code);

async function opened(): Promise<{ stream: Duplex; id: number }> {
  const opening = channel.openStream({ kind: 'connect', port: 80 });
  await settle();
  const { id } = framesOf(StreamFrame.OPEN).at(-1)!;
  agent.send(StreamFrame.ACCEPT, id, '{}');
  return { stream: (await opening).stream, id };
}

async function offered(id = 1): Promise<StreamOffer> {
  const offer = new Promise<StreamOffer>((resolve) => channel.onStream(resolve));
  agent.send(StreamFrame.OPEN, id, { kind: 'accepted', listener: 2 });
  return offer;
}

describe('A stream that the host opens', () => {
  it('sends its header, and resolves with what the agent says when the agent accepts it', async () => {
    const opening = channel.openStream({ kind: 'listen', port: 0 });
    await settle();
    const { id, payload } = framesOf(StreamFrame.OPEN)[0]!;
    expect([id, JSON.parse(payload.toString())]).toEqual([2, { kind: 'listen', port: 0 }]);
    agent.send(StreamFrame.ACCEPT, id, { port: 4711 });
    expect((await opening).facts).toEqual({ port: 4711 });
  });

  it('rejects with the agent’s code when the agent refuses it, and frees its place', async () => {
    const opening = channel.openStream({ kind: 'connect', port: 80 });
    await settle();
    agent.send(StreamFrame.RESET, 2, { code: 'CONNECTION_REFUSED', detail: 'Nobody listens.' });
    await expect(opening).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', message: 'Nobody listens.' });
    await expect(opening).rejects.toBeInstanceOf(StreamError);
  });

  it('carries bytes and half-closes in both directions', async () => {
    const { stream, id } = await opened();
    stream.end('question');
    await settle();
    expect([sent(id).toString(), framesOf(StreamFrame.EOF, id).length]).toEqual(['question', 1]);
    agent.send(StreamFrame.DATA, id, 'ans');
    agent.send(StreamFrame.DATA, id, 'wer');
    agent.send(StreamFrame.EOF, id);
    expect((await buffer(stream)).toString()).toBe('answer');
    await settle();
    expect(resets(id)).toEqual([]);
    expect(channel.open).toBe(true);
  });

  it('goes on after a write of nothing', async () => {
    const { stream, id } = await opened();
    for (const piece of ['', 'a', '', 'b']) stream.write(piece);
    stream.end('');
    await settle();
    expect([sent(id).toString(), framesOf(StreamFrame.EOF, id).length]).toEqual(['ab', 1]);
  });

  it('sends no more than a window without credit, and goes on when credit comes', async () => {
    const { stream, id } = await opened();
    const bytes = Buffer.from(Array.from({ length: 3 * STREAM_WINDOW_BYTES }, (_, at) => at % 251));
    stream.end(bytes);
    await settle();
    expect(sent(id)).toHaveLength(STREAM_WINDOW_BYTES);
    for (let given = 0; given < bytes.length; given += 1024) {
      const before = sent(id).length;
      if (before === bytes.length) break;
      agent.stream.write(encodeNumber(StreamFrame.CREDIT, id, 1024));
      await settle();
      expect(sent(id)).toHaveLength(before + 1024);
    }
    expect(sent(id).equals(bytes)).toBe(true);
    expect(framesOf(StreamFrame.EOF, id)).toHaveLength(1);
  });

  it('sends up to the widest window without credit when the agent has let it grow', async () => {
    const { stream, id } = await opened();
    agent.stream.write(encodeNumber(StreamFrame.CREDIT, id, WIDE_STREAM_WINDOW_BYTES - STREAM_WINDOW_BYTES));
    stream.end(Buffer.alloc(2 * WIDE_STREAM_WINDOW_BYTES));
    await settle();
    expect(sent(id)).toHaveLength(WIDE_STREAM_WINDOW_BYTES);
    agent.stream.write(encodeNumber(StreamFrame.CREDIT, id, WIDE_STREAM_WINDOW_BYTES));
    await settle();
    expect(sent(id)).toHaveLength(2 * WIDE_STREAM_WINDOW_BYTES);
  });

  it('gives credit as bytes are read, and none while its reader stalls', async () => {
    const { stream, id } = await opened();
    agent.send(StreamFrame.DATA, id, Buffer.alloc(STREAM_WINDOW_BYTES, 'a'));
    await settle();
    expect(framesOf(StreamFrame.CREDIT, id)).toHaveLength(0);
    stream.resume();
    await settle();
    const given = framesOf(StreamFrame.CREDIT, id).reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
    expect(given).toBe(STREAM_WINDOW_BYTES);
  });

  it('gives all bytes to a reader that takes them in small pieces', async () => {
    const { stream, id } = await opened();
    let read = 0;
    let left = STREAM_WINDOW_BYTES;
    let total = 0;
    while (read < 4 * STREAM_WINDOW_BYTES) {
      if (left > 0 && total < 4 * STREAM_WINDOW_BYTES) {
        agent.send(StreamFrame.DATA, id, Buffer.alloc(Math.min(left, 5_000)));
        total += Math.min(left, 5_000);
        left -= Math.min(left, 5_000);
      }
      await settle();
      const given = framesOf(StreamFrame.CREDIT, id).reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
      left = STREAM_WINDOW_BYTES + given - total;
      read += (stream.read(Math.min(700, stream.readableLength || 1)) as Buffer | null)?.length ?? 0;
    }
    expect(channel.open).toBe(true);
  });

  it('resets when it is destroyed, and frees its place when the agent has reset it too', async () => {
    const { stream, id } = await opened();
    stream.destroy();
    await settle();
    expect(resets(id)).toEqual(['STREAM_CLOSED']);
    // What the agent sent before it knew is no breach.
    agent.send(StreamFrame.DATA, id, 'late');
    agent.send(StreamFrame.EOF, id);
    agent.send(StreamFrame.RESET, id, { code: 'STREAM_CLOSED', detail: '' });
    await settle();
    expect([channel.open, resets(id)]).toEqual([true, ['STREAM_CLOSED']]);
    agent.send(StreamFrame.DATA, id, 'later');
    await channel.closed;
  });

  it('breaks off with the agent’s code, and answers, when the agent resets it', async () => {
    const { stream, id } = await opened();
    const failed = once(stream, 'error');
    agent.send(StreamFrame.RESET, id, { code: 'CONNECTION_RESET', detail: 'By the peer.' });
    expect((await failed)[0]).toMatchObject({ code: 'CONNECTION_RESET' });
    await settle();
    expect(resets(id)).toEqual(['CONNECTION_RESET']);
    expect(channel.open).toBe(true);
  });

  it('breaks off when the channel ends', async () => {
    const { stream } = await opened();
    const failed = once(stream, 'error');
    const opening = channel.openStream({ kind: 'connect' });
    agent.end(137);
    expect((await failed)[0]).toMatchObject({ code: 'SANDBOX_LOST' });
    await expect(opening).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    await expect(channel.openStream({ kind: 'connect' })).rejects.toThrow('closed');
  });

  it('is refused when 256 are open', async () => {
    const all = Array.from({ length: MAX_STREAMS }, () => channel.openStream({ kind: 'connect' }));
    void Promise.allSettled(all);
    await expect(channel.openStream({ kind: 'connect' })).rejects.toMatchObject({ code: 'TOO_MANY_STREAMS' });
    await settle();
    agent.send(StreamFrame.RESET, 2, { code: 'CONNECTION_REFUSED', detail: '' });
    await expect(all[0]).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    void channel.openStream({ kind: 'connect' }).catch(() => undefined);
    await settle();
    expect(framesOf(StreamFrame.OPEN)).toHaveLength(MAX_STREAMS + 1);
  });

  it('takes turns with others, and is not held up by those that stall', async () => {
    const stalled = await opened();
    stalled.stream.write(Buffer.alloc(10 * STREAM_WINDOW_BYTES));
    const other = await opened();
    other.stream.end('small');
    await settle();
    expect(sent(other.id).toString()).toBe('small');
    expect(sent(stalled.id)).toHaveLength(STREAM_WINDOW_BYTES);
  });

  it('lets commands go on beside it', async () => {
    const { stream, id } = await opened();
    stream.write(Buffer.alloc(STREAM_WINDOW_BYTES));
    agent.send(StreamFrame.DATA, id, Buffer.alloc(STREAM_WINDOW_BYTES));
    const call = channel.sendRequest({ op: 'list', path: '' }, { deadlineMs: 10_000 });
    await settle();
    agent.send(19, 1, '{"ok":{}}');
    expect(await call).toEqual({});
  });
});

describe('A stream that the agent opens', () => {
  it('is offered with its header, and carries bytes when it is accepted', async () => {
    const offer = await offered();
    expect(offer.header).toEqual({ kind: 'accepted', listener: 2 });
    const stream = offer.accept();
    await settle();
    expect(framesOf(StreamFrame.ACCEPT, 1)).toHaveLength(1);
    agent.send(StreamFrame.DATA, 1, 'echo');
    agent.send(StreamFrame.EOF, 1);
    stream.pipe(stream);
    await once(stream, 'finish');
    await settle();
    expect([sent(1).toString(), framesOf(StreamFrame.EOF, 1).length]).toEqual(['echo', 1]);
  });

  it('is reset when it is refused', async () => {
    (await offered()).refuse(new StreamError('NOT_ALLOWED', 'That name is not allowed.'));
    await settle();
    expect(resets(1)).toEqual(['NOT_ALLOWED']);
    agent.send(StreamFrame.RESET, 1, { code: 'NOT_ALLOWED', detail: '' });
    await settle();
    expect(channel.open).toBe(true);
  });

  it('is refused when nobody takes streams', async () => {
    agent.send(StreamFrame.OPEN, 1, { kind: 'accepted' });
    await settle();
    expect(resets(1)).toEqual(['STREAM_REFUSED']);
  });

  it('is refused when 256 are open, and those that the agent does not let go count', async () => {
    for (let n = 0; n <= MAX_STREAMS; n++) agent.send(StreamFrame.OPEN, 2 * n + 1, { kind: 'accepted' });
    await settle();
    expect(resets(1)).toEqual(['STREAM_REFUSED']);
    expect(resets(2 * MAX_STREAMS + 1)).toEqual(['TOO_MANY_STREAMS']);
  });
});

describe('A channel is closed when the agent sends', () => {
  it.each<[string, (id: number) => void]>([
    [
      'data past the window',
      (id) => (agent.send(StreamFrame.DATA, id, Buffer.alloc(STREAM_WINDOW_BYTES)), agent.send(StreamFrame.DATA, id, 'x')),
    ],
    ['data of no bytes', (id) => agent.send(StreamFrame.DATA, id)],
    ['data after its EOF', (id) => (agent.send(StreamFrame.EOF, id), agent.send(StreamFrame.DATA, id, 'x'))],
    ['a second EOF', (id) => (agent.send(StreamFrame.EOF, id), agent.send(StreamFrame.EOF, id))],
    ['an EOF with bytes', (id) => agent.send(StreamFrame.EOF, id, 'x')],
    [
      'credit past the widest window',
      (id) => agent.stream.write(encodeNumber(StreamFrame.CREDIT, id, WIDE_STREAM_WINDOW_BYTES - STREAM_WINDOW_BYTES + 1)),
    ],
    ['a malformed credit', (id) => agent.send(StreamFrame.CREDIT, id, 'xyz')],
    ['a second ACCEPT', (id) => agent.send(StreamFrame.ACCEPT, id, '{}')],
    ['a malformed RESET', (id) => agent.send(StreamFrame.RESET, id, '{"code":"not a code","detail":""}')],
    ['data for a stream that is not open', (id) => agent.send(StreamFrame.DATA, id + 2, 'x')],
    ['an OPEN with an even id', () => agent.send(StreamFrame.OPEN, 4, '{"kind":"accepted"}')],
    ['an OPEN with an id in use', () => (agent.send(StreamFrame.OPEN, 1, '{"kind":"a"}'), agent.send(StreamFrame.OPEN, 1, '{"kind":"a"}'))],
    ['an OPEN without a kind', () => agent.send(StreamFrame.OPEN, 1, '{}')],
    ['an OPEN with a large header', () => agent.send(StreamFrame.OPEN, 1, { kind: 'x'.repeat(5_000) })],
    ['a frame of unknown type', (id) => agent.send(70, id)],
  ])('%s', async (_what, misbehave) => {
    const { stream, id } = await opened();
    stream.on('error', () => undefined);
    misbehave(id);
    await channel.closed;
  });

  it('credit without end for streams that have ended', async () => {
    const { stream, id } = await opened();
    stream.resume().end();
    agent.send(StreamFrame.EOF, id);
    await settle();
    for (let n = 0; n < 8; n++) agent.stream.write(encodeNumber(StreamFrame.CREDIT, id, 1));
    await settle();
    expect(channel.open).toBe(true);
    agent.stream.write(encodeNumber(StreamFrame.CREDIT, id, 1));
    await channel.closed;
  });
});

describe('A hostile agent', () => {
  it('makes the host hold no more than a window a stream, when it sends single bytes that nobody reads', async () => {
    const { id } = await opened();
    const before = process.memoryUsage();
    for (let n = 0; n < STREAM_WINDOW_BYTES; n++) {
      agent.send(StreamFrame.DATA, id, 'x');
      if (n % 1_000 === 0) await nextTurn();
    }
    await settle();
    globalThis.gc?.();
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * 1024 * 1024);
    expect(channel.open).toBe(true);
  });
});

describe('A stream on which nothing moves', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] }));
  afterEach(() => jest.useRealTimers());

  it('is reset at its idle limit, and not when a byte has moved before', async () => {
    const opening = channel.openStream({ kind: 'connect' }, { idleMs: 10_000 });
    await settle();
    agent.send(StreamFrame.ACCEPT, 2, '{}');
    const { stream } = await opening;
    const failed = once(stream, 'error');
    stream.resume();
    await jest.advanceTimersByTimeAsync(9_000);
    agent.send(StreamFrame.DATA, 2, 'x');
    await settle();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(stream.destroyed).toBe(false);
    await jest.advanceTimersByTimeAsync(2_000);
    expect((await failed)[0]).toMatchObject({ code: 'STREAM_IDLE' });
    expect(resets(2)).toEqual(['STREAM_IDLE']);
  });
});
