import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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
