import { PassThrough, Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { ErrorCode } from '@sandbox/errors';
import type { Channel } from './channel';
import { openChannel } from './agent-channel';
import { AgentFrame, decodeNumber, encodeNumber, HostFrame, WINDOW_BYTES } from './frames';
import { begin, FakeAgent, settle, WRITE } from './testing/fake-agent';

const KIB = 1024;
const ok = { ok: { count: 1 } };

let agent: FakeAgent;
let channel: Channel;

beforeAll(() => Logger.overrideLogger(false));

beforeEach(async () => {
  agent = new FakeAgent();
  channel = await openChannel(agent.process, 'c0ffee');
});

afterEach(async () => {
  channel.close();
  await channel.closed;
});

const sentBytes = (id: number): number => agent.framesOf(HostFrame.DATA, id).reduce((sum, { payload }) => sum + payload.length, 0);

describe('AgentChannel, for output,', () => {
  const CHUNK = Buffer.alloc(32 * KIB, 1);

  it('gives credit in steps of 128 KiB when output is consumed', async () => {
    const { id } = await begin(agent, channel, { onOutput: () => undefined });
    for (let n = 0; n < 9; n++) agent.send(AgentFrame.OUT, id, CHUNK);
    await settle();
    expect(agent.framesOf(HostFrame.CREDIT, id).map(({ payload }) => decodeNumber(payload))).toEqual([128 * KIB, 128 * KIB]);
  });

  it('gives credit past the window when the call has no consumer', async () => {
    const { id, result } = await begin(agent, channel);
    for (let n = 0; n < 20; n++) {
      agent.send(AgentFrame.OUT, id, CHUNK);
      if (n % 4 === 3) await agent.frame(HostFrame.CREDIT, { id, nth: (n + 1) / 4 });
    }
    agent.send(AgentFrame.END, id, ok);
    await result;
  });

  it('holds at most two buffers, and delays no other request, when output is not consumed', async () => {
    let release!: () => void;
    const stalled = new Promise<void>((resolve) => (release = resolve));
    const chunks: number[] = [];
    const slow = await begin(agent, channel, { onOutput: (_stream, chunk) => (chunks.push(chunk.length), stalled) });
    for (let n = 0; n < 8; n++) agent.send(AgentFrame.OUT, slow.id, CHUNK);
    agent.send(AgentFrame.END, slow.id, ok);
    let done = false;
    void slow.result.then(() => (done = true));

    const other = await begin(agent, channel, { onOutput: () => undefined });
    for (let n = 0; n < 4; n++) agent.send(AgentFrame.OUT, other.id, CHUNK);
    agent.send(AgentFrame.END, other.id, ok);
    await other.result;

    expect(agent.framesOf(HostFrame.CREDIT, slow.id)).toEqual([]);
    expect(chunks).toEqual([CHUNK.length]);
    expect(done).toBe(false);
    release();
    expect(await slow.result).toEqual({ count: 1 });
    expect(chunks).toEqual([CHUNK.length, 7 * CHUNK.length]);
  });

  it('gives all of each stream in order, one chunk at a time, when the consumer is slow', async () => {
    let busy = false;
    const seen = { stdout: '', stderr: '' };
    const { id, result } = await begin(agent, channel, {
      onOutput: async (stream, chunk) => {
        if (busy) throw new Error('two at a time');
        busy = true;
        const text = chunk.toString();
        await settle();
        seen[stream] += text;
        busy = false;
      },
    });
    const expected = { stdout: '', stderr: '' };
    for (let n = 0; n < 300; n++) {
      const stream = n % 3 === 0 ? 'stderr' : 'stdout';
      expected[stream] += `${n} `;
      agent.send(stream === 'stdout' ? AgentFrame.OUT : AgentFrame.ERR, id, `${n} `);
    }
    agent.send(AgentFrame.END, id, ok);
    await result;
    expect(seen).toEqual(expected);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('disk');
      },
    ],
    ['rejects', () => Promise.reject(new Error('disk'))],
  ])('cancels the request with the error when the consumer %s', async (_how, onOutput) => {
    const { id, result } = await begin(agent, channel, { onOutput });
    agent.send(AgentFrame.OUT, id, 'x');
    await agent.frame(HostFrame.CANCEL, { id });
    agent.send(AgentFrame.OUT, id, 'more');
    agent.send(AgentFrame.END, id, ok);
    await expect(result).rejects.toThrow('disk');
    expect(channel.open).toBe(true);
  });
});

describe('AgentChannel, for input,', () => {
  it('sends a buffer within the agent’s credit, then EOF, when the input is a buffer', async () => {
    const input = Buffer.from(Array.from({ length: 600 * KIB }, (_, n) => n % 251));
    const { id, result } = await begin(agent, channel, { input }, WRITE);
    await agent.frame(HostFrame.DATA, { id, nth: 4 });
    await settle();
    expect(sentBytes(id)).toBe(WINDOW_BYTES);
    for (let granted = 0; granted < input.length; granted += 64 * KIB) {
      agent.stream.write(encodeNumber(AgentFrame.CREDIT, id, 64 * KIB));
      await settle();
      expect(sentBytes(id)).toBe(Math.min(input.length, WINDOW_BYTES + granted + 64 * KIB));
      if (sentBytes(id) === input.length) break;
    }
    await agent.frame(HostFrame.EOF, { id });
    expect(Buffer.concat(agent.framesOf(HostFrame.DATA, id).map(({ payload }) => payload)).equals(input)).toBe(true);
    agent.send(AgentFrame.END, id, ok);
    await result;
  });

  it('sends only EOF when the input is empty', async () => {
    const { id } = await begin(agent, channel, { input: Buffer.alloc(0) }, WRITE);
    await settle();
    expect(agent.namesFor(id)).toEqual(['REQUEST', 'EOF']);
  });

  it('reads no faster than the agent takes it when the input is a stream', async () => {
    let produced = 0;
    const input = new Readable({
      read() {
        produced += 16 * KIB;
        this.push(produced > 1024 * KIB ? null : Buffer.alloc(16 * KIB));
      },
    });
    const { id } = await begin(agent, channel, { input }, WRITE);
    await settle();
    expect(sentBytes(id)).toBe(WINDOW_BYTES);
    expect(produced).toBeLessThan(2 * WINDOW_BYTES);
    while (agent.framesOf(HostFrame.EOF, id).length === 0) {
      agent.stream.write(encodeNumber(AgentFrame.CREDIT, id, Math.min(64 * KIB, WINDOW_BYTES)));
      await settle();
    }
    expect(sentBytes(id)).toBe(1024 * KIB);
  });

  it('sends inputs in turns, and waits for the stream to drain, when two requests have some', async () => {
    agent.stream.pause();
    const calls = [Buffer.alloc(200 * KIB), Buffer.alloc(200 * KIB)].map((input) =>
      channel.sendRequest(WRITE, { input, deadlineMs: 60_000 }),
    );
    calls.forEach((call) => void call.catch(() => undefined));
    await settle();
    expect(agent.hostStream.writableLength).toBeLessThan(150 * KIB);
    agent.stream.resume();
    await agent.frame(HostFrame.EOF, { id: 2 });
    await agent.frame(HostFrame.EOF, { id: 1 });
    const order = agent.framesOf(HostFrame.DATA).map(({ id }) => id);
    expect(order.slice(0, 6)).not.toEqual([1, 1, 1, 1, 2, 2]);
  });

  it.each([
    ['fails', (input: PassThrough) => input.destroy(new Error('torn')), { message: 'torn' }],
    ['breaks off', (input: PassThrough) => input.destroy(), { code: ErrorCode.CLIENT_CLOSED_REQUEST }],
  ])('cancels the request when the input %s', async (_how, breakOff, error) => {
    const input = new PassThrough();
    const { id, result } = await begin(agent, channel, { input }, WRITE);
    input.write('half');
    await agent.frame(HostFrame.DATA, { id });
    breakOff(input);
    await agent.frame(HostFrame.CANCEL, { id });
    agent.send(AgentFrame.END, id, ok);
    await expect(result).rejects.toMatchObject(error);
    expect(agent.namesFor(id)).toEqual(['REQUEST', 'DATA', 'CANCEL']);
  });

  it('cancels the request when the input had failed before the call', async () => {
    const input = new PassThrough();
    input.destroy(new Error('torn'));
    const { id, result } = await begin(agent, channel, { input }, WRITE);
    await agent.frame(HostFrame.CANCEL, { id });
    agent.send(AgentFrame.END, id, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    await expect(result).rejects.toThrow('torn');
  });

  it('leaves the rest of the input to its owner when the request ends', async () => {
    const input = new PassThrough();
    const { id, result } = await begin(agent, channel, { input }, WRITE);
    agent.send(AgentFrame.END, id, { error: { code: 'STORAGE_FULL', detail: 'full' } });
    await expect(result).rejects.toMatchObject({ code: ErrorCode.STORAGE_FULL });
    expect(input.destroyed).toBe(false);
    expect(input.listenerCount('data') + input.listenerCount('end')).toBe(0);
    input.destroy(new Error('the client went away'));
    await settle();
    expect(agent.namesFor(id)).toEqual(['REQUEST']);
  });
});
