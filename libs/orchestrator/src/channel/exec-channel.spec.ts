import { getEventListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { Logger } from '@nestjs/common';
import { ErrorCode } from '@sandbox/errors';
import { type Channel, RequestNotSentError } from './channel';
import { openChannel } from './exec-channel';
import { AgentFrame, HostFrame } from './frames';
import { begin, FakeAgent, LIST, settle, WRITE } from './testing/fake-agent';

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

describe('a request', () => {
  it('goes out as JSON and resolves with what END says', async () => {
    const { id, result } = await begin(agent, channel);
    expect(JSON.parse(agent.received[0]!.payload.toString())).toEqual(LIST);
    agent.send(AgentFrame.END, id, ok);
    expect(await result).toEqual({ count: 1 });
    expect(agent.namesFor(id)).toEqual(['REQUEST']);
  });

  it('gets its own output, in order, whatever else is under way', async () => {
    const output: string[][] = [[], [], []];
    const calls = await Promise.all(
      output.map((lines) => begin(agent, channel, { onOutput: (stream, chunk) => void lines.push(`${stream}:${chunk}`) })),
    );
    expect(new Set(calls.map(({ id }) => id)).size).toBe(3);
    for (const round of ['a', 'b']) {
      calls.forEach(({ id }, n) => agent.send(AgentFrame.OUT, id, `${round}${n}`));
      calls.forEach(({ id }, n) => agent.send(AgentFrame.ERR, id, `e${n}`));
    }
    for (const { id } of calls.toReversed()) agent.send(AgentFrame.END, id, { ok: { id } });
    expect(await Promise.all(calls.map(({ result }) => result))).toEqual(calls.map(({ id }) => ({ id })));
    output.forEach((lines, n) => expect(lines).toEqual([`stdout:a${n}`, `stderr:e${n}`, `stdout:b${n}`, `stderr:e${n}`]));
  });

  it('rejects with the agent’s error, its detail made fit to be shown', async () => {
    const { id, result } = await begin(agent, channel);
    agent.send(AgentFrame.END, id, { error: { code: 'NOT_FOUND', detail: `no\u001b[2J "x"\r\n${'y'.repeat(400)}` } });
    const error = await result.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: ErrorCode.NOT_FOUND, message: expect.stringMatching(/^no \[2J "x" y+$/) });
    expect((error as Error).message.length).toBeLessThanOrEqual(300);
    expect(channel.open).toBe(true);
  });

  it.each(['TOO_MANY_COMMANDS', 'SANDBOX_EXHAUSTED'])('says that %s is worth another try', async (code) => {
    const { id, result } = await begin(agent, channel);
    agent.send(AgentFrame.END, id, { error: { code, detail: 'no room' } });
    await expect(result).rejects.toMatchObject({ code, retryAfter: 1 });
  });

  it.each(['UNAUTHORIZED', 'constructor', 'nonsense'])('takes the code %s for INTERNAL_ERROR, and shows no word of it', async (code) => {
    const { id, result } = await begin(agent, channel);
    agent.send(AgentFrame.END, id, { error: { code, detail: 'secret' } });
    await expect(result).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: expect.not.stringContaining('secret') });
  });

  it('is one of 128 at most', async () => {
    for (let n = 0; n < 128; n++) channel.call(LIST, { deadlineMs: 60_000 }).catch(() => undefined);
    await expect(channel.call(LIST, { deadlineMs: 60_000 })).rejects.toMatchObject({ code: ErrorCode.TOO_MANY_COMMANDS });
    const { id } = await agent.frame(HostFrame.REQUEST, { nth: 128 });
    agent.send(AgentFrame.END, id, ok);
    await settle();
    expect((await begin(agent, channel)).id).not.toBe(id);
  });

  it('over a frame’s size is refused and not sent', async () => {
    const path = 'x'.repeat(1024 * KIB);
    await expect(channel.call({ op: 'list', path }, { deadlineMs: 60_000 })).rejects.toMatchObject({ code: ErrorCode.PAYLOAD_TOO_LARGE });
    await settle();
    expect(agent.received).toEqual([]);
  });
});

describe('abort', () => {
  it('cancels the request, which rejects once the agent has ended it', async () => {
    const controller = new AbortController();
    const { id, result } = await begin(agent, channel, { signal: controller.signal });
    controller.abort();
    await agent.frame(HostFrame.CANCEL, { id });
    agent.send(AgentFrame.END, id, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    await expect(result).rejects.toMatchObject({ code: ErrorCode.CLIENT_CLOSED_REQUEST });
    expect(channel.open).toBe(true);
  });

  it('ends output and input at once, not only when the agent has heard of it', async () => {
    const controller = new AbortController();
    const input = new PassThrough();
    const output: string[] = [];
    const { id, result } = await begin(
      agent,
      channel,
      { signal: controller.signal, input, onOutput: (_, chunk) => void output.push(`${chunk}`) },
      WRITE,
    );
    agent.send(AgentFrame.OUT, id, 'before');
    await settle();
    controller.abort();
    input.write('after');
    agent.send(AgentFrame.OUT, id, 'after');
    await settle();
    agent.send(AgentFrame.END, id, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    await expect(result).rejects.toMatchObject({ code: ErrorCode.CLIENT_CLOSED_REQUEST });
    expect(output).toEqual(['before']);
    expect(agent.namesFor(id)).toEqual(['REQUEST', 'CANCEL']);
  });

  it('that comes too late changes nothing, and a signal is let go of', async () => {
    const controller = new AbortController();
    const { id, result } = await begin(agent, channel, { signal: controller.signal });
    agent.send(AgentFrame.END, id, ok);
    expect(await result).toEqual({ count: 1 });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('before the call sends nothing', async () => {
    await expect(channel.call(LIST, { deadlineMs: 1000, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: ErrorCode.CLIENT_CLOSED_REQUEST,
    });
    await settle();
    expect(agent.received).toEqual([]);
  });

  it('does not wait for a consumer that is stuck', async () => {
    const controller = new AbortController();
    const { id, result } = await begin(agent, channel, { signal: controller.signal, onOutput: () => new Promise(() => undefined) });
    agent.send(AgentFrame.OUT, id, 'x');
    agent.send(AgentFrame.END, id, ok);
    await settle();
    controller.abort();
    await expect(result).rejects.toMatchObject({ code: ErrorCode.CLIENT_CLOSED_REQUEST });
  });
});

describe('the end of the channel', () => {
  it('by close() rejects what is open, sends nothing more, and leaves no listener', async () => {
    const peer = new FakeAgent();
    const listeners = (): number => peer.hostStream.eventNames().reduce((sum, event) => sum + peer.hostStream.listenerCount(event), 0);
    const before = listeners();
    const closing = await openChannel(peer.process);
    const controller = new AbortController();
    const input = new PassThrough();
    const { result } = await begin(peer, closing, { signal: controller.signal, input }, WRITE);
    expect(listeners()).toBeGreaterThan(before);
    closing.close();
    closing.close();
    await expect(result).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    await closing.closed;
    await settle();
    expect(peer.hostStream.destroyed).toBe(true);
    expect(listeners()).toBe(before);
    expect(input.listenerCount('data')).toBe(0);
    controller.abort();
    await settle();
    expect(peer.framesOf(HostFrame.CANCEL)).toEqual([]);
  });

  it('tells a request that was not sent from one that was', async () => {
    const { result } = await begin(agent, channel);
    agent.end(137);
    await expect(result).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    await channel.closed;
    expect(channel.open).toBe(false);
    await expect(channel.call(LIST, { deadlineMs: 1000 })).rejects.toBeInstanceOf(RequestNotSentError);
  });

  it('comes with an error of the stream', async () => {
    const { result } = await begin(agent, channel);
    agent.hostStream.destroy(new Error('read ECONNRESET'));
    await expect(result).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST, message: expect.not.stringContaining('ECONN') });
  });

  it('comes where the agent does not read, before its requests fill the memory', async () => {
    agent.stream.pause();
    const path = 'x'.repeat(600 * KIB);
    const results = Array.from({ length: 80 }, () =>
      channel.call({ op: 'list', path }, { deadlineMs: 60_000 }).catch((error: unknown) => error),
    );
    expect(agent.hostStream.destroyed).toBe(true);
    expect((await Promise.all(results))[0]).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
    expect(await results[79]).toBeInstanceOf(RequestNotSentError);
  });

  it('comes where nothing is under way', async () => {
    agent.end(0);
    await channel.closed;
    expect(channel.open).toBe(false);
  });
});
