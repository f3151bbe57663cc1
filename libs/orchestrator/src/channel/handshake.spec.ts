import type { Socket } from 'node:net';
import { ErrorCode } from '@sandbox/errors';
import { agentBundle } from './agent-source';
import type { DirectListener } from './direct-listener';
import { openChannel } from './agent-channel';
import { AgentFrame, encodeFrame } from './frames';
import { startFailure } from './handshake';
import { FakeAgent, settle } from './testing/fake-agent';

const hello = (payload: object): Buffer => encodeFrame(AgentFrame.HELLO, 0, JSON.stringify(payload));

describe('openChannel', () => {
  it('sends the agent’s source, and opens when the agent says HELLO', async () => {
    const agent = new FakeAgent();
    const channel = await openChannel(agent.process);
    expect(channel.open).toBe(true);
    const sent = agentBundle(null).join('');
    expect(agent.bundle.toString()).toBe(sent.slice(sent.indexOf('\n') + 1));
    expect(agent.bundle.toString()).toMatch(/^DIRECT = None\n/);
    channel.close();
  });

  it('opens when HELLO comes in pieces', async () => {
    const agent = new FakeAgent({ hello: null });
    const opening = openChannel(agent.process);
    for (const byte of hello({ protocol: 1 })) {
      agent.stream.write(Buffer.from([byte]));
      await settle();
    }
    (await opening).close();
  });

  it.each([
    ['another protocol', hello({ protocol: 2 })],
    ['no JSON', encodeFrame(AgentFrame.HELLO, 0, '{')],
    ['another type', encodeFrame(AgentFrame.PONG, 0)],
    ['a request’s id', encodeFrame(AgentFrame.HELLO, 1, '{"protocol":1}')],
    ['an oversized frame', Buffer.alloc(9, 255)],
    ['a frame nobody asked for after it', Buffer.concat([hello({ protocol: 1 }), encodeFrame(AgentFrame.OUT, 1, 'x')])],
  ])('rejects when the first frame has %s', async (_what, bytes) => {
    const agent = new FakeAgent({ hello: bytes });
    const opening = openChannel(agent.process);
    void opening.catch(() => undefined);
    await settle();
    agent.end(0);
    await expect(opening).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    expect(agent.hostStream.destroyed).toBe(true);
  });

  it('rejects with SANDBOX_IMAGE_UNUSABLE when the engine says that python3 is missing', async () => {
    const agent = new FakeAgent({
      hello: Buffer.from('OCI runtime exec failed: exec: "python3": executable file not found in $PATH: unknown\r\n'),
    });
    const opening = openChannel(agent.process);
    void opening.catch(() => undefined);
    await settle();
    agent.end(126);
    await expect(opening).rejects.toMatchObject({ code: ErrorCode.SANDBOX_IMAGE_UNUSABLE, message: expect.stringContaining('no python3') });
  });

  it('rejects when the process ends without HELLO', async () => {
    const agent = new FakeAgent({ hello: null });
    const opening = openChannel(agent.process);
    agent.end(137);
    await expect(opening).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    expect(agent.hostStream.destroyed).toBe(true);
  });

  it('rejects when the stream fails', async () => {
    const agent = new FakeAgent({ hello: null });
    const opening = openChannel(agent.process);
    agent.hostStream.destroy(new Error('read ECONNRESET'));
    agent.end(null);
    await expect(opening).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
  });

  it('rejects when the stream fails while it looks for the reason', async () => {
    const agent = new FakeAgent({ hello: Buffer.alloc(9, 255) });
    const opening = openChannel(agent.process);
    void opening.catch(() => undefined);
    await settle();
    agent.hostStream.destroy(new Error('read ECONNRESET'));
    await settle();
    agent.end(null);
    await expect(opening).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
  });

  describe('with a socket on which the agent may come', () => {
    /** A listener whose connection the test makes; `their` is the agent's end of it. */
    function directTo() {
      let accept!: (socket: Socket) => void;
      const close = jest.fn();
      const connection = new Promise<Socket>((resolve) => (accept = resolve));
      const pipe = new FakeAgent({ hello: null });
      const listener: DirectListener = { name: 'name', token: 'token', connection, close };
      const connect = (): Promise<void> => (accept(pipe.hostStream as Socket), settle());
      return { listener, close, connect, their: pipe.stream, ours: pipe.hostStream };
    }
    const HELLO = hello({ protocol: 1 });

    it('tells the agent the name of the socket and the token', async () => {
      const { listener } = directTo();
      const agent = new FakeAgent();
      (await openChannel(agent.process, 'sandbox', listener)).close();
      expect(agent.bundle.toString()).toMatch(/^DIRECT = \["name","token"\]\n/);
    });

    it('takes the socket, and lets the process’s stream go, when HELLO comes by the socket', async () => {
      const { listener, close, connect, their } = directTo();
      const agent = new FakeAgent({ hello: null });
      const opening = openChannel(agent.process, 'sandbox', listener);
      await connect();
      their.write(HELLO);
      const channel = await opening;
      expect([channel.transport, channel.open, close.mock.calls.length]).toEqual(['direct', true, 1]);
      expect(agent.hostStream.destroyed).toBe(true);
      await settle();
      expect(channel.open).toBe(true);
      their.end();
      await channel.closed;
    });

    it('waits for HELLO by the socket when the agent has closed its pipes before', async () => {
      const { listener, connect, their } = directTo();
      const agent = new FakeAgent({ hello: null });
      const opening = openChannel(agent.process, 'sandbox', listener);
      await connect();
      agent.end(null);
      await settle();
      their.write(HELLO);
      expect((await opening).transport).toBe('direct');
    });

    it('takes the process’s stream when HELLO comes by it, and closes the listener', async () => {
      const { listener, close, connect, ours } = directTo();
      const agent = new FakeAgent();
      const channel = await openChannel(agent.process, 'sandbox', listener);
      expect([channel.transport, close.mock.calls.length]).toEqual(['exec', 1]);
      await connect();
      expect(ours.destroyed).toBe(true);
      expect(channel.open).toBe(true);
      channel.close();
    });

    it('takes the process’s stream when the socket has ended without HELLO', async () => {
      const { listener, connect, their } = directTo();
      const agent = new FakeAgent({ hello: null });
      const opening = openChannel(agent.process, 'sandbox', listener);
      await connect();
      their.end();
      await settle();
      agent.stream.write(HELLO);
      expect((await opening).transport).toBe('exec');
    });

    it('rejects when both have ended without HELLO', async () => {
      const { listener, close, connect, their } = directTo();
      const agent = new FakeAgent({ hello: null });
      const opening = openChannel(agent.process, 'sandbox', listener);
      void opening.catch(() => undefined);
      await connect();
      their.end();
      await settle();
      agent.end(137);
      await expect(opening).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
      expect(close).toHaveBeenCalled();
    });

    it('rejects when something else than HELLO comes by the socket', async () => {
      const { listener, connect, their, ours } = directTo();
      const agent = new FakeAgent({ hello: null });
      const opening = openChannel(agent.process, 'sandbox', listener);
      void opening.catch(() => undefined);
      await connect();
      their.write(Buffer.alloc(9, 255));
      await settle();
      agent.end(0);
      await expect(opening).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
      expect([ours.destroyed, agent.hostStream.destroyed]).toEqual([true, true]);
    });
  });

  describe('with a clock of its own', () => {
    beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] }));
    afterEach(() => jest.useRealTimers());

    it('rejects after 10 s when the process is silent', async () => {
      const agent = new FakeAgent({ hello: null });
      const opening = openChannel(agent.process);
      const outcome = opening.then(
        () => 'open',
        (error: unknown) => error,
      );
      await jest.advanceTimersByTimeAsync(9_999);
      expect(agent.hostStream.destroyed).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      expect(await outcome).toMatchObject({ code: ErrorCode.SANDBOX_UNRESPONSIVE });
      expect(agent.hostStream.destroyed).toBe(true);
      expect(jest.getTimerCount()).toBe(0);
    });

    it('leaves no timer behind when the process has ended', async () => {
      const agent = new FakeAgent({ hello: null });
      const outcome = openChannel(agent.process).catch((error: unknown) => error);
      agent.end(1);
      expect(await outcome).toMatchObject({ code: ErrorCode.SANDBOX_LOST });
      expect(jest.getTimerCount()).toBe(0);
    });

    it('rejects after a while when the engine does not say how the process ended', async () => {
      const agent = new FakeAgent({ hello: null });
      const outcome = openChannel(agent.process).catch((error: unknown) => error);
      agent.stream.end();
      await jest.advanceTimersByTimeAsync(2_000);
      expect(await outcome).toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    });
  });
});

describe('startFailure', () => {
  it.each([
    [127, 'exec: "python3": stat python3: no such file or directory', 'SANDBOX_IMAGE_UNUSABLE', 'no python3'],
    [127, 'open /proc/1234/ns/ipc: no such file or directory', 'SANDBOX_LOST', 'ended before'],
    [126, 'exec: "python3": executable file not found in $PATH: unknown', 'SANDBOX_IMAGE_UNUSABLE', 'no python3'],
    [126, 'exec: "python3": permission denied: unknown', 'SANDBOX_IMAGE_UNUSABLE', 'cannot be executed'],
    [1, '  File "<string>", line 1\nSyntaxError: invalid syntax', 'SANDBOX_IMAGE_UNUSABLE', 'too old'],
    [1, "ModuleNotFoundError: No module named '_ctypes'", 'SANDBOX_IMAGE_UNUSABLE', 'ctypes'],
    [1, "ModuleNotFoundError: No module named 'json'", 'SANDBOX_IMAGE_UNUSABLE', 'standard library'],
    [126, 'fork/exec /proc/self/exe: resource temporarily unavailable: unknown', 'SANDBOX_EXHAUSTED', 'memory or processes'],
    [1, 'MemoryError', 'SANDBOX_EXHAUSTED', 'memory or processes'],
    [126, 'cannot exec in a stopped container', 'SANDBOX_LOST', 'ended'],
    [137, '', 'SANDBOX_LOST', 'ended'],
    [null, '', 'SANDBOX_LOST', 'ended'],
  ])('reads exit code %p with %p as %s', (exitCode, output, code, message) => {
    const error = startFailure(exitCode, output);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    if (code === 'SANDBOX_IMAGE_UNUSABLE') expect(error.message).toMatch(/`sh` and python3 >= 3\.8/);
  });
});
