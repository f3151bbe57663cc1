import { Logger } from '@nestjs/common';
import { ErrorCode } from '@sandbox/errors';
import type { CallOptions, Channel } from './channel';
import { openChannel } from './agent-channel';
import { AgentFrame, decodeNumber, HostFrame } from './frames';
import { FakeAgent, settle } from './testing/fake-agent';

let agent: FakeAgent;
let channel: Channel;

beforeAll(() => Logger.overrideLogger(false));

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  agent = new FakeAgent();
  channel = await openChannel(agent.process);
});

afterEach(() => {
  channel.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

function begin(options: Partial<CallOptions> = {}): Promise<unknown> {
  return channel.sendRequest({ op: 'list', path: '' }, { deadlineMs: 600_000, ...options }).catch((error: unknown) => error);
}

/** Lets the agent answer every PING. */
async function pass(seconds: number): Promise<void> {
  for (let half = 0; half < 2 * seconds; half++) {
    const pings = agent.framesOf(HostFrame.PING).length;
    await jest.advanceTimersByTimeAsync(500);
    await settle();
    if (agent.framesOf(HostFrame.PING).length > pings) agent.send(AgentFrame.PONG, 0);
    await settle();
  }
}

async function passInSilence(seconds: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(seconds * 1000);
  await settle();
}

describe('AgentChannel, when the agent is silent,', () => {
  it('runs no timer when no request is open', async () => {
    await passInSilence(3600);
    expect(agent.received).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('sends a PING after 5 s, and stays open when the agent answers it', async () => {
    const result = begin();
    await passInSilence(4.5);
    expect(agent.framesOf(HostFrame.PING)).toHaveLength(0);
    await pass(60);
    expect(agent.framesOf(HostFrame.PING).length).toBeGreaterThan(10);
    agent.send(AgentFrame.END, 1, { ok: {} });
    expect(await result).toEqual({});
    await passInSilence(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('closes when the agent does not answer the PING', async () => {
    const result = begin();
    await passInSilence(9.5);
    expect(channel.open).toBe(true);
    await passInSilence(0.5);
    expect(channel.open).toBe(false);
    expect(await result).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
  });

  it('counts the silence from zero when any frame comes', async () => {
    const result = begin();
    for (let n = 0; n < 5; n++) {
      await passInSilence(7);
      agent.send(AgentFrame.OUT, 1, 'x');
      await settle();
    }
    agent.send(AgentFrame.END, 1, { ok: {} });
    expect(await result).toEqual({});
  });

  it('counts the silence from zero when a request comes and none was open', async () => {
    const controller = new AbortController();
    const first = begin({ signal: controller.signal, onOutput: () => new Promise(() => undefined) });
    await settle();
    agent.send(AgentFrame.OUT, 1, 'x');
    agent.send(AgentFrame.END, 1, { ok: {} });
    await passInSilence(4.5);
    controller.abort();
    expect(await first).toMatchObject({ code: ErrorCode.CLIENT_CLOSED_REQUEST });
    await passInSilence(1);
    void begin();
    await passInSilence(4);
    expect(agent.framesOf(HostFrame.PING)).toHaveLength(0);
  });
});

describe('AgentChannel, with a lease,', () => {
  it('gives the lease at once, and again four times before it ends', async () => {
    channel.close();
    agent = new FakeAgent();
    channel = await openChannel(agent.process, 'c0ffee', null, 60);
    await settle();
    expect(agent.framesOf(HostFrame.LEASE).map(({ payload }) => decodeNumber(payload))).toEqual([60]);
    await passInSilence(60);
    expect(agent.framesOf(HostFrame.LEASE)).toHaveLength(5);
  });
});

describe('AgentChannel, at a deadline,', () => {
  it('cancels the request with REQUEST_TIMEOUT when its time is over', async () => {
    const result = begin({ deadlineMs: 20_000 });
    await pass(19.5);
    expect(agent.framesOf(HostFrame.CANCEL, 1)).toHaveLength(0);
    await pass(1);
    expect(agent.framesOf(HostFrame.CANCEL, 1)).toHaveLength(1);
    agent.send(AgentFrame.END, 1, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    expect(await result).toMatchObject({ code: ErrorCode.REQUEST_TIMEOUT, message: expect.stringContaining('20 s') });
    expect(channel.open).toBe(true);
  });

  it('keeps the result when the request ended at the same time', async () => {
    const result = begin({ deadlineMs: 1_000 });
    await pass(2);
    agent.send(AgentFrame.END, 1, { ok: { late: true } });
    expect(await result).toEqual({ late: true });
  });

  it('closes, for every request on it, when END does not come within 5 s more', async () => {
    const results = [begin({ deadlineMs: 1_000 }), begin()];
    await pass(5.5);
    expect(channel.open).toBe(true);
    await pass(2);
    expect(channel.open).toBe(false);
    for (const result of results) expect(await result).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
  });

  it('cancels only the request whose consumer does not end when its time is over', async () => {
    const result = begin({ deadlineMs: 3_000, onOutput: () => new Promise(() => undefined) });
    const other = begin();
    await settle();
    agent.send(AgentFrame.OUT, 1, 'x');
    agent.send(AgentFrame.END, 1, { ok: {} });
    await pass(4);
    expect(await result).toMatchObject({ code: ErrorCode.REQUEST_TIMEOUT });
    expect(agent.framesOf(HostFrame.CANCEL)).toEqual([]);
    agent.send(AgentFrame.END, 2, { ok: {} });
    expect(await other).toEqual({});
  });

  it('moves the time of a stall when output is taken, and at nothing else', async () => {
    let take = (): void => undefined;
    const onOutput = () => new Promise<void>((resolve) => (take = resolve));
    const result = begin({ deadlineMs: 600_000, stallMs: 20_000, onOutput });
    for (let n = 0; n < 4; n++) {
      agent.send(AgentFrame.OUT, 1, Buffer.alloc(65_536));
      await pass(15);
      take();
      await settle();
    }
    expect(agent.framesOf(HostFrame.CANCEL, 1)).toHaveLength(0);
    agent.send(AgentFrame.OUT, 1, Buffer.alloc(65_536));
    await pass(21);
    expect(agent.framesOf(HostFrame.CANCEL, 1)).toHaveLength(1);
    agent.send(AgentFrame.END, 1, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    expect(await result).toMatchObject({
      code: ErrorCode.REQUEST_TIMEOUT,
      message: 'Nothing was taken of the answer for 20 s.',
    });
    expect(channel.open).toBe(true);
  });

  it('cancels a transfer when its time is over, although it moves', async () => {
    const result = begin({ deadlineMs: 30_000, stallMs: 20_000, onOutput: () => undefined });
    for (let n = 0; n < 3; n++) {
      agent.send(AgentFrame.OUT, 1, Buffer.alloc(65_536));
      await pass(10.5);
    }
    agent.send(AgentFrame.END, 1, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    expect(await result).toMatchObject({ code: ErrorCode.REQUEST_TIMEOUT, message: 'The call did not end within 30 s.' });
  });

  it('closes when an aborted request does not end within 5 s', async () => {
    const controller = new AbortController();
    const result = begin({ signal: controller.signal });
    controller.abort();
    await pass(6);
    expect(await result).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
  });
});
