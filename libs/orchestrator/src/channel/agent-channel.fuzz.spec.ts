import { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { SandboxError } from '@sandbox/errors';
import { fuzz, type Random } from '../../../../test/support/fuzzing';
import type { Channel } from './channel';
import { openChannel } from './agent-channel';
import { AgentFrame, encodeNumber, encodeFrame, type Frame, HostFrame, MAX_AGENT_PAYLOAD_BYTES, MAX_HOST_PAYLOAD_BYTES } from './frames';
import { framesByTheBook } from './testing/frames-by-the-book';

const CASES = 30_000;
const HELLO = encodeFrame(AgentFrame.HELLO, 0, '{"protocol":1,"python":"3.11.2","pid":7}');
const ENDS = [
  '{"ok":{}}',
  '{"ok":{"size":1}}',
  '{"error":{"code":"NOT_FOUND","detail":"x"}}',
  '{"error":{"code":"?","detail":"x"}}',
  '{"ok":[]}',
  '{',
];

beforeAll(() => Logger.overrideLogger(false));
jest.setTimeout(300_000);

/** One open request, and everything that was seen of it. */
interface Seen {
  readonly id: number;
  readonly stdout: Buffer[];
  readonly stderr: Buffer[];
  readonly thrown: Error;
  readonly abort: AbortController;
  outcome: { readonly ok: Record<string, unknown> } | { readonly error: unknown } | null;
  readonly settled: Promise<void>;
}

/**
 * A channel over a stream whose other end is the test itself: bytes arrive in the turn in which
 * they are given.
 */
async function open(): Promise<{ stream: Duplex; channel: Channel; sent: Buffer[] }> {
  const sent: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      sent.push(chunk);
      done();
    },
  });
  const opening = openChannel({ stream, ended: new Promise(() => undefined) });
  stream.emit('data', HELLO);
  const channel = await opening;
  // The bundle has filled the stream, which says in a later turn that it has room again.
  await new Promise(setImmediate);
  sent.length = 0; // the bundle
  return { stream, channel, sent };
}

function begin(channel: Channel, id: number, random: Random): Seen {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  const thrown = new Error(`the consumer of request ${id}`);
  const abort = new AbortController();
  const manner = random(8);
  const seen: Seen = {
    id,
    stdout,
    stderr,
    thrown,
    abort,
    outcome: null,
    settled: channel
      .sendRequest(
        { op: 'write', path: String(id), max_size: 0 },
        {
          deadlineMs: 60_000,
          signal: abort.signal,
          input: random(2) === 0 ? undefined : Buffer.alloc(random(100), id),
          onOutput: (name, chunk) => {
            if (seen.outcome !== null) throw new Error('output after the end');
            (name === 'stdout' ? stdout : stderr).push(Buffer.from(chunk));
            if (manner === 0) throw thrown;
            if (manner === 1) return Promise.reject(thrown);
            if (manner === 2) return new Promise(() => undefined);
            return manner < 5 ? Promise.resolve() : undefined;
          },
        },
      )
      .then(
        (ok) => void (seen.outcome = { ok }),
        (error: unknown) => void (seen.outcome = { error }),
      ),
  };
  return seen;
}

/**
 * Frames as an agent could send them, and many as it could not. A payload of output tells whose it
 * is.
 */
function agentBytes(random: Random, requests: number): Buffer {
  const frames: Buffer[] = [];
  for (let count = 1 + random(10); count > 0; count--) {
    const id = random(12) === 0 ? random(requests + 3) : 1 + random(requests);
    switch (random(8)) {
      case 0:
        frames.push(encodeFrame(AgentFrame.END, id, ENDS[random(random(3) === 0 ? ENDS.length : 4)]));
        break;
      case 1:
        frames.push(encodeNumber(AgentFrame.CREDIT, id, random(random(2) === 0 ? 3 : 0xffff_ffff)));
        break;
      case 2:
        frames.push(random(3) === 0 ? encodeFrame(random(32), id, Buffer.alloc(random(8), id)) : encodeFrame(AgentFrame.PONG, 0));
        break;
      default:
        frames.push(encodeFrame(AgentFrame.OUT + random(2), id, Buffer.alloc(random(100) === 0 ? random(70_000) : random(60), id)));
    }
  }
  const bytes = Buffer.concat(frames);
  for (let mutations = random(3) === 0 ? 1 + random(3) : 0; mutations > 0; mutations--) bytes[random(bytes.length)] = random(256);
  return random(10) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
}

/** Passes the bytes on in pieces. Between them, clients abort, read and call. */
async function deliver(bytes: Buffer, stream: Duplex, seen: readonly Seen[], random: Random): Promise<void> {
  const most = 1 + random(bytes.length + 1);
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random(most);
    stream.emit('data', bytes.subarray(at, end));
    at = end;
    if (random(3) === 0) await Promise.resolve();
    if (random(12) === 0) seen[random(seen.length)]!.abort.abort();
  }
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
}

function checkRequest({ id, stdout, stderr, thrown, abort, outcome }: Seen, frames: readonly Frame[]): void {
  const mine = frames.filter((frame) => frame.id === id);
  const end = mine.findIndex((frame) => frame.type === AgentFrame.END);
  const output = (type: number): Buffer =>
    Buffer.concat(mine.slice(0, end === -1 ? mine.length : end).flatMap((frame) => (frame.type === type ? [frame.payload] : [])));
  for (const [name, chunks, type] of [
    ['stdout', stdout, AgentFrame.OUT],
    ['stderr', stderr, AgentFrame.ERR],
  ] as const) {
    const [got, sent] = [Buffer.concat(chunks), output(type)];
    if (!sent.subarray(0, got.length).equals(got)) throw new Error(`request ${id} has ${name} that is not its own`);
    // An aborted request may still succeed. Its output is dropped.
    if (outcome !== null && 'ok' in outcome && !abort.signal.aborted && got.length !== sent.length)
      throw new Error(`request ${id} lacks ${name}`);
  }
  if (outcome === null) throw new Error(`request ${id} never settled`);
  if ('ok' in outcome) {
    const said = end === -1 ? 'nothing' : mine[end]!.payload.toString();
    if (JSON.stringify({ ok: outcome.ok }) !== JSON.stringify(JSON.parse(said))) throw new Error(`request ${id}: the agent said ${said}`);
  } else if (!(outcome.error instanceof SandboxError) && outcome.error !== thrown) {
    throw new Error(`request ${id}: ${String(outcome.error)}`);
  }
}

/**
 * What goes out to a hostile agent is sound as well, and nothing follows what ends a request but
 * credit for output that is taken and dropped.
 */
function checkSent(sent: Buffer): void {
  const { frames, violated } = framesByTheBook(sent, MAX_HOST_PAYLOAD_BYTES);
  if (violated) throw new Error('the host broke the protocol');
  const cancelled = new Set<number>();
  for (const { type, id } of frames) {
    if (cancelled.has(id) && type !== HostFrame.CREDIT) throw new Error(`a frame of type ${type} after CANCEL for request ${id}`);
    if (type === HostFrame.CANCEL) cancelled.add(id);
  }
}

describe('AgentChannel', () => {
  it('settles each request as the agent said, or with a typed error, when the agent sends anything', () =>
    fuzz(CASES, async (random) => {
      const { stream, channel, sent } = await open();
      const seen = Array.from({ length: 1 + random(4) }, (_, index) => begin(channel, index + 1, random));
      const bytes = agentBytes(random, seen.length);
      await deliver(bytes, stream, seen, random);
      const { frames, violated } = framesByTheBook(bytes, MAX_AGENT_PAYLOAD_BYTES);
      if (violated && channel.open) throw new Error('a channel stays open that can never be read again');
      channel.close();
      await Promise.all(seen.map(({ settled }) => settled));
      for (const request of seen) checkRequest(request, frames);
      checkSent(Buffer.concat(sent));
    }));
});
