import { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { fuzz, type Random } from '../../../../test/support/fuzzing';
import { openChannel } from './agent-channel';
import type { Channel } from './channel';
import {
  AgentFrame,
  encodeNumber,
  encodeFrame,
  type Frame,
  MAX_AGENT_PAYLOAD_BYTES,
  MAX_HOST_PAYLOAD_BYTES,
  STREAM_WINDOW_BYTES,
  StreamFrame,
} from './frames';
import { StreamError } from './stream-error';
import { framesByTheBook } from './testing/frames-by-the-book';

const CASES = 10_000;
const HELLO = encodeFrame(AgentFrame.HELLO, 0, '{"protocol":1,"python":"3.11.2","pid":7}');

beforeAll(() => Logger.overrideLogger(false));
jest.setTimeout(300_000);

/** A stream that the host has, with what was read from it. */
interface Seen {
  readonly id: number;
  readonly stream: Duplex;
  readonly read: Buffer[];
}

async function open(): Promise<{ pipe: Duplex; channel: Channel; sent: Buffer[]; seen: Seen[] }> {
  const sent: Buffer[] = [];
  const pipe = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      sent.push(chunk);
      done();
    },
  });
  const opening = openChannel({ stream: pipe, ended: new Promise(() => undefined) });
  pipe.emit('data', HELLO);
  const channel = await opening;
  // The bundle has filled the stream, which says in a later turn that it has room again.
  await new Promise(setImmediate);
  sent.length = 0; // the bundle
  return { pipe, channel, sent, seen: [] };
}

function note(seen: Seen[], id: number, stream: Duplex, random: Random): void {
  const read: Buffer[] = [];
  seen.push({ id, stream, read });
  const manner = random(4);
  if (manner > 0) stream.on('data', (chunk: Buffer) => read.push(Buffer.from(chunk)));
  if (manner === 1) stream.end(Buffer.alloc(random(3 * STREAM_WINDOW_BYTES), id));
  if (manner === 2) stream.write(Buffer.alloc(random(2_000), id));
}

/** Frames as an agent could send them, and many as it could not. */
function agentBytes(random: Random): Buffer {
  const frames: Buffer[] = [];
  for (let count = 1 + random(12); count > 0; count--) {
    const id = 1 + random(6);
    switch (random(10)) {
      case 0:
        frames.push(encodeFrame(StreamFrame.OPEN, id, random(4) === 0 ? '{"kind":7}' : '{"kind":"accepted"}'));
        break;
      case 1:
        frames.push(encodeFrame(StreamFrame.ACCEPT, id, random(8) === 0 ? '[]' : '{}'));
        break;
      case 2:
        frames.push(encodeFrame(StreamFrame.EOF, id));
        break;
      case 3:
        frames.push(encodeFrame(StreamFrame.RESET, id, random(6) === 0 ? '{"code":1}' : '{"code":"GONE","detail":"\\u0007"}'));
        break;
      case 4:
        frames.push(encodeNumber(StreamFrame.CREDIT, id, random(3) === 0 ? random(100_000) : random(2_000)));
        break;
      case 5:
        frames.push(encodeFrame(random(80), id, Buffer.alloc(random(8), id)));
        break;
      default:
        frames.push(encodeFrame(StreamFrame.DATA, id, Buffer.alloc(random(20) === 0 ? random(70_000) : random(300), id)));
    }
  }
  const bytes = Buffer.concat(frames);
  for (let mutations = random(3) === 0 ? 1 + random(3) : 0; mutations > 0; mutations--) bytes[random(bytes.length)] = random(256);
  return bytes;
}

async function deliver(bytes: Buffer, pipe: Duplex, seen: readonly Seen[], random: Random): Promise<void> {
  const most = 1 + random(bytes.length + 1);
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random(most);
    pipe.emit('data', bytes.subarray(at, end));
    at = end;
    if (random(3) === 0) await Promise.resolve();
    if (random(15) === 0 && seen.length > 0) seen[random(seen.length)]!.stream.destroy();
  }
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

/** What is read of a stream is what the agent sent on it, from the beginning on. */
function checkRead({ id, read }: Seen, frames: readonly Frame[]): void {
  const data = Buffer.concat(frames.flatMap((frame) => (frame.type === StreamFrame.DATA && frame.id === id ? [frame.payload] : [])));
  const got = Buffer.concat(read);
  if (!data.includes(got)) throw new Error(`stream ${id} has bytes that are not its own`);
}

/**
 * The host keeps to the credit, sends nothing after its EOF but credit and RESET, and one RESET.
 */
function checkSent(sent: Buffer, received: readonly Frame[]): void {
  const { frames, violated } = framesByTheBook(sent, MAX_HOST_PAYLOAD_BYTES);
  if (violated) throw new Error('the host broke the protocol');
  const granted = (id: number): number =>
    received
      .filter((frame) => frame.type === StreamFrame.CREDIT && frame.id === id && frame.payload.length === 4)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(), STREAM_WINDOW_BYTES);
  const bytes = new Map<number, number>();
  for (const { type, id, payload } of frames) {
    if (type !== StreamFrame.DATA) continue;
    bytes.set(id, (bytes.get(id) ?? 0) + payload.length);
    // An id that the agent uses twice has a window each time.
    const opened = Math.max(1, received.filter((frame) => frame.type === StreamFrame.OPEN && frame.id === id).length);
    if (bytes.get(id)! > opened * granted(id)) throw new Error(`stream ${id}: more than its credit`);
  }
}

describe('The streams of a channel', () => {
  it('keep bytes apart and to the credit, and end with a StreamError, when the agent sends anything', () =>
    fuzz(CASES, async (random) => {
      const { pipe, channel, sent, seen } = await open();
      channel.onStream((offer) => {
        if (random(3) === 0) offer.refuse(new StreamError('NOT_ALLOWED', 'no'));
        else note(seen, 0, offer.accept(), random);
      });
      const openings = [2, 4, 6].slice(0, random(4)).map((id) =>
        channel.openStream({ kind: 'connect' }).then(
          ({ stream }) => note(seen, id, stream, random),
          (error: unknown) => {
            if (!(error instanceof StreamError)) throw error;
          },
        ),
      );
      await Promise.resolve();
      const accepts = openings.flatMap((_, at) => (random(4) === 0 ? [] : [encodeFrame(StreamFrame.ACCEPT, 2 * at + 2, '{}')]));
      const bytes = Buffer.concat([...accepts, agentBytes(random)]);
      for (const each of accepts) pipe.emit('data', each);
      for (let turn = 0; turn < 12; turn++) await Promise.resolve();
      await deliver(bytes.subarray(Buffer.concat(accepts).length), pipe, seen, random);
      const { frames, violated } = framesByTheBook(bytes, MAX_AGENT_PAYLOAD_BYTES);
      if (violated && channel.open) throw new Error('a channel stays open that can never be read again');
      channel.close();
      await Promise.all(openings);
      await new Promise(setImmediate);
      // One that both sides have ended can still be read.
      for (const { stream } of seen) if (!stream.destroyed && !stream.writableFinished) throw new Error('a stream outlives its channel');
      for (const each of seen) if (each.id !== 0) checkRead(each, frames);
      checkSent(Buffer.concat(sent), frames);
    }));
});
