import { Logger } from '@nestjs/common';
import { ErrorCode } from '@sandbox/errors';
import type { CallOptions, Channel } from './channel';
import { openChannel } from './exec-channel';
import { AgentFrame, HostFrame } from './frames';
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
  return channel.call({ op: 'list', path: '' }, { deadlineMs: 600_000, ...options }).catch((error: unknown) => error);
}

/** The agent answers PINGs all the while. */
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

describe('silence', () => {
  it('of an idle channel is not looked at: there is no timer', async () => {
    await passInSilence(3600);
    expect(agent.received).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('with a request open is broken by a PING after 5 s; an agent that answers may take its time', async () => {
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

  it('after a PING is the end of the channel', async () => {
    const result = begin();
    await passInSilence(9.5);
    expect(channel.open).toBe(true);
    await passInSilence(0.5);
    expect(channel.open).toBe(false);
    expect(await result).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
  });

  it('ends with any frame', async () => {
    const result = begin();
    for (let n = 0; n < 5; n++) {
      await passInSilence(7);
      agent.send(AgentFrame.OUT, 1, 'x');
      await settle();
    }
    agent.send(AgentFrame.END, 1, { ok: {} });
    expect(await result).toEqual({});
  });

  it('is counted anew for a request that comes when none was open', async () => {
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

describe('the deadline', () => {
  it('cancels the request, which rejects with REQUEST_TIMEOUT', async () => {
    const result = begin({ deadlineMs: 20_000 });
    await pass(19.5);
    expect(agent.framesOf(HostFrame.CANCEL, 1)).toHaveLength(0);
    await pass(1);
    expect(agent.framesOf(HostFrame.CANCEL, 1)).toHaveLength(1);
    agent.send(AgentFrame.END, 1, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    expect(await result).toMatchObject({ code: ErrorCode.REQUEST_TIMEOUT, message: expect.stringContaining('20 s') });
    expect(channel.open).toBe(true);
  });

  it('leaves a request its result where it had ended at the same time', async () => {
    const result = begin({ deadlineMs: 1_000 });
    await pass(2);
    agent.send(AgentFrame.END, 1, { ok: { late: true } });
    expect(await result).toEqual({ late: true });
  });

  it('and 5 s more without END are the end of the channel, for every request on it', async () => {
    const results = [begin({ deadlineMs: 1_000 }), begin()];
    await pass(5.5);
    expect(channel.open).toBe(true);
    await pass(2);
    expect(channel.open).toBe(false);
    for (const result of results) expect(await result).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
  });

  it('holds for a consumer that does not come to an end, and costs the others nothing', async () => {
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

  it('of a stall is put off by output that is taken, and by nothing else', async () => {
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

  it('ends a transfer that moves, too', async () => {
    const result = begin({ deadlineMs: 30_000, stallMs: 20_000, onOutput: () => undefined });
    for (let n = 0; n < 3; n++) {
      agent.send(AgentFrame.OUT, 1, Buffer.alloc(65_536));
      await pass(10.5);
    }
    agent.send(AgentFrame.END, 1, { error: { code: 'CLIENT_CLOSED_REQUEST', detail: '' } });
    expect(await result).toMatchObject({ code: ErrorCode.REQUEST_TIMEOUT, message: 'The call did not end within 30 s.' });
  });

  it('of 5 s holds for an abort too', async () => {
    const controller = new AbortController();
    const result = begin({ signal: controller.signal });
    controller.abort();
    await pass(6);
    expect(await result).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
  });
});
