import { getEventListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { Logger } from '@nestjs/common';
import { ErrorCode } from '@sandbox/errors';
import { type Channel, RequestNotSentError } from './channel';
import { openChannel } from './agent-channel';
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

describe('AgentChannel, for a request,', () => {
  it('sends JSON, and resolves with the result when END comes', async () => {
    const { id, result } = await begin(agent, channel);
    expect(JSON.parse(agent.received[0]!.payload.toString())).toEqual(LIST);
    agent.send(AgentFrame.END, id, ok);
    expect(await result).toEqual({ count: 1 });
    expect(agent.namesFor(id)).toEqual(['REQUEST']);
  });

  it('gives each request its own output in order when several are open', async () => {
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

  it('rejects with the agent’s error, cleaned of control characters, when END has one', async () => {
    const { id, result } = await begin(agent, channel);
    agent.send(AgentFrame.END, id, { error: { code: 'NOT_FOUND', detail: `no\u001b[2J "x"\r\n${'y'.repeat(400)}` } });
    const error = await result.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: ErrorCode.NOT_FOUND, message: expect.stringMatching(/^no \[2J "x" y+$/) });
    expect((error as Error).message.length).toBeLessThanOrEqual(300);
    expect(channel.open).toBe(true);
  });

  it.each(['TOO_MANY_COMMANDS', 'SANDBOX_EXHAUSTED'])('says when to try again when the error is %s', async (code) => {
    const { id, result } = await begin(agent, channel);
    agent.send(AgentFrame.END, id, { error: { code, detail: 'no room' } });
    await expect(result).rejects.toMatchObject({ code, retryAfter: 1 });
  });

  it.each(['UNAUTHORIZED', 'constructor', 'nonsense'])('rejects with INTERNAL_ERROR when the agent’s code is %s', async (code) => {
    const { id, result } = await begin(agent, channel);
    agent.send(AgentFrame.END, id, { error: { code, detail: 'secret' } });
    await expect(result).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: expect.not.stringContaining('secret') });
  });

  it('refuses a request when 128 are open', async () => {
    for (let n = 0; n < 128; n++) channel.sendRequest(LIST, { deadlineMs: 60_000 }).catch(() => undefined);
    await expect(channel.sendRequest(LIST, { deadlineMs: 60_000 })).rejects.toMatchObject({ code: ErrorCode.TOO_MANY_COMMANDS });
    const { id } = await agent.frame(HostFrame.REQUEST, { nth: 128 });
    agent.send(AgentFrame.END, id, ok);
    await settle();
    expect((await begin(agent, channel)).id).not.toBe(id);
  });

  it('refuses a request when it is larger than a frame', async () => {
    const path = 'x'.repeat(1024 * KIB);
    await expect(channel.sendRequest({ op: 'list', path }, { deadlineMs: 60_000 })).rejects.toMatchObject({
      code: ErrorCode.PAYLOAD_TOO_LARGE,
    });
    await settle();
    expect(agent.received).toEqual([]);
  });
});

describe('AgentChannel, on an abort,', () => {
  it('rejects the call when the agent has ended the request', async () => {
    const controller = new AbortController();
    const { id, result } = await begin(agent, channel, { signal: controller.signal });
    controller.abort();
    await agent.frame(HostFrame.CANCEL, { id });
    agent.send(AgentFrame.END, id, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    await expect(result).rejects.toMatchObject({ code: ErrorCode.CLIENT_CLOSED_REQUEST });
    expect(channel.open).toBe(true);
  });

  it('stops output and input before the agent has ended the request', async () => {
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

  it('changes nothing, and drops its listener, when the request has ended', async () => {
    const controller = new AbortController();
    const { id, result } = await begin(agent, channel, { signal: controller.signal });
    agent.send(AgentFrame.END, id, ok);
    expect(await result).toEqual({ count: 1 });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('sends nothing when the signal was aborted before the call', async () => {
    await expect(channel.sendRequest(LIST, { deadlineMs: 1000, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: ErrorCode.CLIENT_CLOSED_REQUEST,
    });
    await settle();
    expect(agent.received).toEqual([]);
  });

  it('rejects the call when its consumer hangs', async () => {
    const controller = new AbortController();
    const { id, result } = await begin(agent, channel, { signal: controller.signal, onOutput: () => new Promise(() => undefined) });
    agent.send(AgentFrame.OUT, id, 'x');
    agent.send(AgentFrame.END, id, ok);
    await settle();
    controller.abort();
    await expect(result).rejects.toMatchObject({ code: ErrorCode.CLIENT_CLOSED_REQUEST });
  });
});

describe('AgentChannel, at its end,', () => {
  it('rejects open requests and leaves no listener when it is closed', async () => {
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

  it('rejects with another error when a request was not sent', async () => {
    const { result } = await begin(agent, channel);
    agent.end(137);
    await expect(result).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    await channel.closed;
    expect(channel.open).toBe(false);
    await expect(channel.sendRequest(LIST, { deadlineMs: 1000 })).rejects.toBeInstanceOf(RequestNotSentError);
  });

  it('closes when the stream fails', async () => {
    const { result } = await begin(agent, channel);
    agent.hostStream.destroy(new Error('read ECONNRESET'));
    await expect(result).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST, message: expect.not.stringContaining('ECONN') });
  });

  it('closes when the agent does not read, before requests fill the memory', async () => {
    agent.stream.pause();
    const path = 'x'.repeat(600 * KIB);
    const results = Array.from({ length: 80 }, () =>
      channel.sendRequest({ op: 'list', path }, { deadlineMs: 60_000 }).catch((error: unknown) => error),
    );
    expect(agent.hostStream.destroyed).toBe(true);
    expect((await Promise.all(results))[0]).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
    expect(await results[79]).toBeInstanceOf(RequestNotSentError);
  });

  it('closes when the stream ends and no request is open', async () => {
    agent.end(0);
    await channel.closed;
    expect(channel.open).toBe(false);
  });
});
