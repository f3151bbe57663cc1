import { Logger } from '@nestjs/common';
import { ErrorCode } from '@sandbox/errors';
import { openChannel } from './agent-channel';
import { AgentFrame, encodeNumber, encodeFrame, HostFrame, MAX_AGENT_PAYLOAD_BYTES, WINDOW_BYTES } from './frames';
import { FakeAgent, settle } from './testing/fake-agent';

const DEADLINE = { deadlineMs: 60_000 };
const END = JSON.stringify({ ok: {} });

beforeAll(() => Logger.overrideLogger(false));

/**
 * A channel with two open requests, the first of which takes input and has a consumer that never
 * returns.
 */
async function open() {
  const agent = new FakeAgent();
  const channel = await openChannel(agent.process);
  const calls = [
    channel.sendRequest(
      { op: 'write', path: 'f', max_size: 0 },
      { ...DEADLINE, input: Buffer.from('abc'), onOutput: () => new Promise(() => undefined) },
    ),
    channel.sendRequest({ op: 'list', path: '' }, DEADLINE),
  ];
  const outcomes = Promise.all(calls.map((call) => call.catch((error: unknown) => error)));
  await agent.frame(HostFrame.REQUEST, { nth: 2 });
  await agent.frame(HostFrame.EOF, { id: 1 });
  return { agent, channel, outcomes };
}

const out = (id: number, bytes: number): Buffer => encodeFrame(AgentFrame.OUT, id, Buffer.alloc(bytes));

describe('AgentChannel', () => {
  it.each<[string, Buffer[]]>([
    ['an id nobody opened', [encodeFrame(AgentFrame.OUT, 3, 'x')]],
    ['an id of another channel’s making', [encodeFrame(AgentFrame.END, 0xffffffff, END)]],
    ['output on the channel’s own id', [encodeFrame(AgentFrame.OUT, 0, 'x')]],
    ['a second HELLO', [encodeFrame(AgentFrame.HELLO, 0, '{"protocol":1}')]],
    ['an empty CREDIT on the channel’s own id', [encodeFrame(AgentFrame.CREDIT, 0)]],
    ['a PONG for an id nobody opened', [encodeFrame(AgentFrame.PONG, 3)]],
    ['a PONG with a payload', [encodeFrame(AgentFrame.PONG, 0, 'x')]],
    ['a PONG that no PING asked for', [encodeFrame(AgentFrame.PONG, 0)]],
    ['output of nothing, which costs no credit', [encodeFrame(AgentFrame.OUT, 2)]],
    ['credit of nothing', [encodeNumber(AgentFrame.CREDIT, 1, 0)]],
    ['a PONG for a request', [encodeFrame(AgentFrame.PONG, 1)]],
    ['an unknown type', [encodeFrame(99, 1)]],
    ['a frame of the host’s', [encodeFrame(HostFrame.DATA, 1, 'x')]],
    ['a frame after END', [encodeFrame(AgentFrame.END, 2, END), encodeFrame(AgentFrame.OUT, 2, 'x')]],
    ['a second END', [encodeFrame(AgentFrame.END, 2, END), encodeFrame(AgentFrame.END, 2, END)]],
    ['a frame after an END that waits for its consumer', [out(1, 1), encodeFrame(AgentFrame.END, 1, END), out(1, 1)]],
    ['output past the window', [...Array.from({ length: 4 }, () => out(1, WINDOW_BYTES / 4)), out(1, 1)]],
    ['a frame over 64 KiB', [encodeFrame(AgentFrame.OUT, 2, Buffer.alloc(MAX_AGENT_PAYLOAD_BYTES + 1))]],
    ['an END over 64 KiB', [encodeFrame(AgentFrame.END, 2, JSON.stringify({ ok: { pad: 'x'.repeat(MAX_AGENT_PAYLOAD_BYTES) } }))]],
    ['an END that is no JSON', [encodeFrame(AgentFrame.END, 2, '{"ok":')]],
    ['an END that is no object', [encodeFrame(AgentFrame.END, 2, '[]')]],
    ['an END with neither result nor error', [encodeFrame(AgentFrame.END, 2, '{}')]],
    ['an END with both', [encodeFrame(AgentFrame.END, 2, '{"ok":{},"error":{"code":"NOT_FOUND","detail":""}}')]],
    ['an END whose result is no object', [encodeFrame(AgentFrame.END, 2, '{"ok":[]}')]],
    ['an END whose error has no code', [encodeFrame(AgentFrame.END, 2, '{"error":{"detail":"x"}}')]],
    ['an END whose error has no detail', [encodeFrame(AgentFrame.END, 2, '{"error":{"code":"NOT_FOUND"}}')]],
    ['an END nested past reason', [encodeFrame(AgentFrame.END, 2, `{"ok":${'['.repeat(60_000)}`)]],
    ['credit for input it cannot have consumed', [encodeNumber(AgentFrame.CREDIT, 1, 4)]],
    ['credit that would overflow', [encodeNumber(AgentFrame.CREDIT, 1, 0xffffffff)]],
    ['credit that is no u32', [encodeFrame(AgentFrame.CREDIT, 1, 'abc')]],
    ['credit for a request without input', [encodeNumber(AgentFrame.CREDIT, 2, 1)]],
    ['text', [Buffer.from('Traceback (most recent call last):\n')]],
  ])('closes when the agent breaks the protocol by %s', async (_what, frames) => {
    const { agent, channel, outcomes } = await open();
    agent.stream.write(Buffer.concat(frames));
    await channel.closed;
    const results = await outcomes;
    expect(results[0]).toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    expect(agent.hostStream.destroyed).toBe(true);
    expect(channel.open).toBe(false);
    await settle();
  });

  it('stays open when the agent does what the protocol allows', async () => {
    const { agent, channel, outcomes } = await open();
    agent.stream.write(
      Buffer.concat([
        encodeNumber(AgentFrame.CREDIT, 1, 3),
        encodeFrame(AgentFrame.OUT, 2, Buffer.alloc(MAX_AGENT_PAYLOAD_BYTES)),
        encodeFrame(AgentFrame.ERR, 2, 'x'),
        encodeFrame(AgentFrame.END, 2, END),
        encodeFrame(AgentFrame.END, 1, END),
      ]),
    );
    expect(await outcomes).toEqual([{}, {}]);
    expect(channel.open).toBe(true);
    channel.close();
  });

  it('settles every request when the agent sends random bytes', async () => {
    let state = 42;
    const random = (below: number): number => (state = (state * 1103515245 + 12345) % 2147483648) % below;
    for (let run = 0; run < 300; run++) {
      const { agent, channel, outcomes } = await open();
      for (let n = 0; n < 6; n++) {
        const payload = Buffer.from(Array.from({ length: random(12) }, () => random(256)));
        agent.stream.write(random(4) === 0 ? payload : encodeFrame(16 + random(7), random(4), payload));
      }
      await settle();
      channel.close();
      expect(await outcomes).toHaveLength(2);
    }
  });
});
