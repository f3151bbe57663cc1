import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { ErrorCode } from '@sandbox/errors';
import type { SandboxProcess } from './sandbox-process';
import { AGENT_ARGV } from './agent-source';
import type { AgentRequest, CallOptions, Channel } from './channel';
import { listenDirectly } from './direct-listener';
import { openChannel } from './agent-channel';
import { StreamError } from './stream-error';

// Runs the real agent as a child of this process, with a temporary directory as its workspace.
const workspace = mkdtempSync(join(tmpdir(), 'channel-spec-'));
const sockets = mkdtempSync(join(tmpdir(), 'channel-spec-sockets-'));

jest.mock('./agent-source', () => {
  const actual = jest.requireActual<typeof import('./agent-source')>('./agent-source');
  // A Python text within a JSON text.
  const quoted = (text: string): string => JSON.stringify(JSON.stringify(text)).slice(1, -1);
  const agentBundle: typeof actual.agentBundle = (direct) => {
    const text = actual.agentBundle(direct).join('');
    const bundle = text
      .slice(text.indexOf('\n') + 1)
      .replace('b\\"/workspace\\"', `b${quoted(workspace)}`)
      .replace('\\"/run/sandbox/\\"', quoted(`${sockets}/`));
    return [`${Buffer.byteLength(bundle)}\n`, Buffer.from(bundle)];
  };
  return { ...actual, agentBundle };
});

function startAgent(): SandboxProcess & { kill(): void } {
  const [program, ...parameters] = AGENT_ARGV;
  const child = spawn(program!, parameters, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<{ exitCode: number | null; stderr: string }>((resolve) => {
    child.on('close', (exitCode) => resolve({ exitCode, stderr }));
  });
  return { stream: Duplex.from({ readable: child.stdout, writable: child.stdin }), ended, kill: () => child.kill('SIGKILL') };
}

let agent: ReturnType<typeof startAgent>;
let channel: Channel;

afterEach(async () => {
  channel.close();
  expect((await agent.ended).stderr).toBe('');
});

afterAll(() => {
  expect(readdirSync(sockets)).toEqual([]);
  for (const directory of [workspace, sockets]) rmSync(directory, { recursive: true });
});

const exec = (command: string, more: Partial<Extract<AgentRequest, { op: 'exec' }>> = {}): AgentRequest => ({
  op: 'exec',
  command,
  shell: 'sh',
  cwd: workspace,
  env: {},
  timeout_ms: 30_000,
  max_output: 16 * 1024 * 1024,
  stdin: false,
  ...more,
});

async function call(request: AgentRequest, options: Partial<CallOptions> = {}) {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const onOutput = (stream: 'stdout' | 'stderr', chunk: Buffer): void => void chunks[stream].push(Buffer.from(chunk));
  const ok = await channel.sendRequest(request, { deadlineMs: 60_000, onOutput, ...options });
  return { ok, stdout: Buffer.concat(chunks.stdout).toString(), stderr: Buffer.concat(chunks.stderr).toString() };
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe.each(['direct', 'exec'] as const)('A channel with the real agent, for a command (%s)', (transport) => {
  beforeEach(async () => {
    agent = startAgent();
    channel = await openChannel(agent, 'sandbox', transport === 'direct' ? await listenDirectly(sockets) : null);
    expect(channel.transport).toBe(transport);
  });

  it('gives the output, the exit code and the time when a command ends', async () => {
    const { ok, stdout, stderr } = await call(
      exec('echo "$GREETING"; cat; echo no >&2; exit 3', { env: { GREETING: 'hällo' }, stdin: true }),
      {
        input: Buffer.from('from stdin'),
      },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'hällo\nfrom stdin', stderr: 'no\n' });
    expect(ok).toMatchObject({ exit_code: 3, timed_out: false, omitted: { stdout: 0, stderr: 0 }, duration_ms: expect.any(Number) });
  });

  it('runs commands side by side when several are called', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => call(exec(`echo ${n}; exit ${n}`))));
    expect(results.map(({ ok, stdout }) => [ok.exit_code, stdout])).toEqual(results.map((_, n) => [n, `${n}\n`]));
  });

  it('loses no output when the reader is slow', async () => {
    const hash = createHash('sha256');
    const onOutput = async (_stream: string, chunk: Buffer): Promise<void> => {
      await setImmediate();
      hash.update(chunk);
    };
    await call(exec('head -c 5000000 /dev/zero'), { onOutput });
    expect(hash.digest('hex')).toBe(sha256(Buffer.alloc(5_000_000)));
  });

  it('sends the whole input when it is larger than every window', async () => {
    const chunks = Array.from({ length: 300 }, () => randomBytes(10_000));
    const { stdout } = await call(exec('sha256sum', { stdin: true }), { input: Readable.from(chunks, { objectMode: false }) });
    expect(stdout).toBe(`${sha256(Buffer.concat(chunks))}  -\n`);
  });

  it('ends when the command does not read its input', async () => {
    const { ok } = await call(exec('exec true', { stdin: true }), { input: Buffer.alloc(4_000_000) });
    expect(ok.exit_code).toBe(0);
  });

  it('kills the command, and stays open, when the call is aborted', async () => {
    const controller = new AbortController();
    const onOutput = (): void => controller.abort();
    const aborted = call(exec('echo begun; exec sleep 60'), { signal: controller.signal, onOutput });
    await expect(aborted).rejects.toMatchObject({ code: ErrorCode.CLIENT_CLOSED_REQUEST });
    expect((await call(exec('echo still here'))).stdout).toBe('still here\n');
  });

  it('rejects with SANDBOX_LOST when the agent is killed', async () => {
    const lost = call(exec('echo begun; exec sleep 60'), { onOutput: () => agent.kill() });
    await expect(lost).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    expect(channel.open).toBe(false);
  });
});

describe.each(['direct', 'exec'] as const)('A channel with the real agent, for a file (%s)', (transport) => {
  beforeEach(async () => {
    agent = startAgent();
    channel = await openChannel(agent, 'sandbox', transport === 'direct' ? await listenDirectly(sockets) : null);
    expect(channel.transport).toBe(transport);
  });

  it('writes and reads a file unchanged when its name and size are unusual', async () => {
    const name = Buffer.concat([Buffer.from('a "b"\n'), Buffer.of(0xff), Buffer.from(' ü')]);
    const file = { path: '', path_base64: Buffer.concat([Buffer.from('dir/'), name]).toString('base64') };
    const content = randomBytes(1_500_000);
    const input = Readable.from([content.subarray(0, 700_000), content.subarray(700_000)], { objectMode: false });
    expect((await call({ op: 'write', ...file, max_size: 0 }, { input })).ok).toEqual({
      size: content.length,
      created: true,
      etag: expect.any(String),
    });

    const listing = await call({ op: 'list', path: 'dir' });
    expect(listing.ok).toEqual({ count: 1, skipped: 0, truncated: false });
    expect(JSON.parse(listing.stdout)).toMatchObject({ name_base64: name.toString('base64'), type: 'file', size: content.length });

    const read: Buffer[] = [];
    await call(
      { op: 'read', ...file, offset: 0, length: null, max_length: 0 },
      { onOutput: (_, chunk) => void read.push(Buffer.from(chunk)) },
    );
    const bytes = Buffer.concat(read);
    const header = bytes.subarray(0, bytes.indexOf('\n') + 1);
    expect(JSON.parse(header.toString())).toMatchObject({ size: content.length, offset: 0, length: content.length });
    expect(bytes.subarray(header.length).equals(content)).toBe(true);

    expect((await call({ op: 'delete', path: 'dir' })).ok).toEqual({});
    await expect(call({ op: 'list', path: 'dir' })).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND });
  });

  it('leaves a file as it was when its new content breaks off', async () => {
    await call({ op: 'write', path: 'kept', max_size: 0 }, { input: Buffer.from('old') });
    const torn = new Readable({ read: () => undefined });
    torn.push('new');
    const writing = call({ op: 'write', path: 'kept', max_size: 0 }, { input: torn });
    await setImmediate();
    torn.destroy(new Error('torn'));
    await expect(writing).rejects.toThrow('torn');
    expect(readFileSync(join(workspace, 'kept'), 'utf8')).toBe('old');
  });
});

describe.each(['direct', 'exec'] as const)('A channel with the real agent, for streams (%s)', (transport) => {
  const servers: Server[] = [];

  beforeEach(async () => {
    agent = startAgent();
    channel = await openChannel(agent, 'sandbox', transport === 'direct' ? await listenDirectly(sockets) : null);
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** Starts a server on the loopback that the agent has too, since it runs on the same machine. */
  async function serve(onConnection: (socket: Socket) => void): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  }
  const echoes = (): Promise<number> => serve((socket) => void socket.on('error', () => undefined).pipe(socket));
  const textOf = async (stream: Duplex): Promise<string> => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(stream, 'end');
    return Buffer.concat(chunks).toString();
  };

  it('carries bytes to a port and back, and half-closes in both directions', async () => {
    const bytes = randomBytes(3_000_000);
    const { stream, facts } = await channel.openStream({ kind: 'connect', port: await echoes() });
    expect(facts).toEqual({});
    const hash = createHash('sha256');
    stream.on('data', (chunk: Buffer) => hash.update(chunk));
    stream.end(bytes);
    await once(stream, 'end');
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(channel.open).toBe(true);
  });

  it('says why when nobody listens, or the address is not the sandbox’s own', async () => {
    const port = await echoes();
    servers[0]!.close();
    await expect(channel.openStream({ kind: 'connect', port })).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    await expect(channel.openStream({ kind: 'connect', port: 80, address: '10.0.0.1' })).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
    });
    await expect(channel.openStream({ kind: 'nonsense' })).rejects.toBeInstanceOf(StreamError);
    expect(channel.open).toBe(true);
  });

  it('brings connections in the sandbox to the host, which echoes or refuses them', async () => {
    let refuses = false;
    channel.onStream(({ header, accept, refuse }) => {
      expect(header).toMatchObject({ kind: 'accepted', listener: 2 });
      if (refuses) return refuse(new StreamError('NOT_ALLOWED', 'No.'));
      const stream = accept();
      stream.pipe(stream);
    });
    const { stream: listener, facts } = await channel.openStream({ kind: 'listen', port: 0 });
    /** Connects from a command, and prints what comes back. */
    const client = (): AgentRequest =>
      exec(`python3 -c '
import socket
try:
    s = socket.create_connection(("127.0.0.1", ${facts.port as number}))
    s.sendall(b"through the host")
    s.shutdown(1)
    print(s.makefile().read())
except OSError as error:
    print(type(error).__name__)
'`);
    expect((await call(client())).stdout.toString()).toBe('through the host\n');
    refuses = true;
    expect((await call(client())).stdout.toString()).toMatch(/^(ConnectionResetError|BrokenPipeError)\n$/);
    listener.end();
    await once(listener.resume(), 'close');
    expect((await call(client())).stdout.toString()).toBe('ConnectionRefusedError\n');
  });

  it('lets 224 of 256 streams go on when 32 stall, and a command beside them', async () => {
    const port = await echoes();
    const opened = await Promise.all(Array.from({ length: 256 }, () => channel.openStream({ kind: 'connect', port })));
    await expect(channel.openStream({ kind: 'connect', port })).rejects.toMatchObject({ code: 'TOO_MANY_STREAMS' });
    const streams = opened.map(({ stream }) => stream);
    // Nobody reads what is echoed to these.
    for (const stalled of streams.slice(0, 32)) stalled.write(Buffer.alloc(1_000_000));
    const command = channel.sendRequest(exec('echo beside'), { deadlineMs: 60_000 });
    const texts = streams.slice(32).map(async (stream, at) => {
      stream.end(`stream ${at} `.repeat(5_000));
      return (await textOf(stream)) === `stream ${at} `.repeat(5_000);
    });
    expect((await Promise.all(texts)).filter((whole) => !whole)).toEqual([]);
    expect(await command).toMatchObject({ exit_code: 0 });
    for (const stalled of streams.slice(0, 32)) stalled.destroy();
    // Once they are gone on both sides, others can be opened.
    const again = async (): Promise<Duplex> =>
      channel.openStream({ kind: 'connect', port }).then(
        ({ stream }) => stream,
        () => setImmediate().then(again),
      );
    (await again()).destroy();
  });

  it('breaks streams off when the agent is killed, and the server sees the end', async () => {
    let ended!: () => void;
    const end = new Promise<void>((resolve) => (ended = resolve));
    const port = await serve(
      (socket) =>
        void socket
          .on('error', () => undefined)
          .on('end', ended)
          .resume(),
    );
    const { stream } = await channel.openStream({ kind: 'connect', port });
    const failed = once(stream, 'error');
    agent.kill();
    expect((await failed)[0]).toMatchObject({ code: 'SANDBOX_LOST' });
    await end;
  });
});
