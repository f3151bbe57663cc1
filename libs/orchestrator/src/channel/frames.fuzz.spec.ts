import { fuzz, type Random } from '../../../../test/support/fuzzing';
import { encodeFrame, type Frame, FrameReader, HEADER_BYTES } from './frames';
import { framesByTheBook } from './testing/frames-by-the-book';

/** One million over all tests of this file. */
const SENT_CASES = 250_000;
const HOSTILE_CASES = 700_000;
const HUGE_CASES = 50_000;
/** Small, so that lengths close to the limit are common. */
const LIMIT = 48;

jest.setTimeout(300_000);

interface Reading {
  frames: Frame[];
  violation: string | null;
}

/**
 * Pushes the bytes in pieces, looking after each at what the reader holds, and that what it has
 * told stays told.
 */
function readSplit(bytes: Buffer, limit: number, random: Random): Reading {
  const reader = new FrameReader(limit);
  const frames: Frame[] = [];
  let violation: string | null = null;
  const most = 1 + random(random(2) === 0 ? 12 : bytes.length + 1);
  for (let at = 0; at < bytes.length;) {
    const end = at + random(most + 1);
    const result = reader.push(bytes.subarray(at, end));
    at = end;
    if (reader.bufferedBytes > HEADER_BYTES + limit) throw new Error(`holds ${reader.bufferedBytes} bytes`);
    if (violation !== null && (result.frames.length > 0 || result.violation !== violation)) throw new Error('read on after a violation');
    for (const frame of result.frames) frames.push(frame);
    violation = result.violation;
  }
  return { frames, violation };
}

function same(left: readonly Frame[], right: readonly Frame[]): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) {
    const [one, other] = [left[at]!, right[at]!];
    if (one.type !== other.type || one.id !== other.id || !one.payload.equals(other.payload)) return false;
  }
  return true;
}

function check(bytes: Buffer, limit: number, random: Random): void {
  const expected = framesByTheBook(bytes, limit);
  const whole = new FrameReader(limit).push(bytes);
  const split = readSplit(bytes, limit, random);
  const again = readSplit(bytes, limit, random);
  const agree = [whole, split, again].every(
    (reading) =>
      same(reading.frames, expected.frames) && (reading.violation !== null) === expected.violated && reading.violation === whole.violation,
  );
  if (!agree) throw new Error(`${bytes.toString('hex')} is read as ${JSON.stringify({ expected, whole, split, again })}`);
}

function randomFrames(random: Random): Buffer {
  const frames: Buffer[] = [];
  for (let count = 1 + random(4); count > 0; count--) {
    const id = random(2) === 0 ? random(4) : random(0xffff_ffff);
    // Every byte of a payload tells its frame. Sometimes a payload is longer than allowed.
    const length = random(20) === 0 ? LIMIT + random(3) : random(LIMIT + 1);
    frames.push(encodeFrame(random(256), id, Buffer.alloc(length, id & 0xff)));
  }
  return Buffer.concat(frames);
}

/** Flips, cuts, doubles or inserts bytes, or makes only noise. */
function hostileBytes(random: Random): Buffer {
  if (random(8) === 0) return noise(random, random(80));
  let bytes = randomFrames(random);
  for (let mutations = 1 + random(4); mutations > 0 && bytes.length > 0; mutations--) {
    const at = random(bytes.length);
    const end = at + random(16);
    switch (random(4)) {
      case 0:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), noise(random, random(16)), bytes.subarray(at)]);
        break;
      default:
        bytes[at] = random(256);
    }
  }
  return bytes;
}

function noise(random: Random, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = random(3) === 0 ? 0 : random(256);
  return bytes;
}

describe('FrameReader under random input', () => {
  it('gives the frames that were sent when they are split anywhere', () =>
    fuzz(SENT_CASES, (random) => check(randomFrames(random), LIMIT + 2, random)));

  it('reads as the protocol says, and holds at most one frame, when bytes are hostile', () =>
    fuzz(HOSTILE_CASES, (random) => check(hostileBytes(random), LIMIT, random)));

  it('reserves no memory when a length is past the limit, and at most the limit otherwise', async () => {
    const { alloc, allocUnsafe, allocUnsafeSlow } = Buffer;
    let largest = 0;
    const noting =
      <A extends [size: number, ...rest: never[]]>(real: (...args: A) => Buffer) =>
      (...args: A) => {
        largest = Math.max(largest, args[0]);
        return real.apply(Buffer, args);
      };
    try {
      await fuzz(HUGE_CASES, (random) => {
        const limit = random(3) === 0 ? 64 * 1024 : LIMIT;
        const length = random(4) === 0 ? limit - random(2) : limit + 1 + random(random(2) === 0 ? 4 : 0xffff_ffff - limit);
        const bytes = Buffer.concat([encodeFrame(17, 1, 'before'), header(length), noise(random, random(40))]);
        const expected = framesByTheBook(bytes, limit);
        largest = 0;
        Object.assign(Buffer, { alloc: noting(alloc), allocUnsafe: noting(allocUnsafe), allocUnsafeSlow: noting(allocUnsafeSlow) });
        let reading: Reading;
        try {
          reading = readSplit(bytes, limit, random);
        } finally {
          Object.assign(Buffer, { alloc, allocUnsafe, allocUnsafeSlow });
        }
        if (largest > limit) throw new Error(`${largest} bytes set aside for a frame of ${length}, with a limit of ${limit}`);
        if (!same(reading.frames, expected.frames) || (reading.violation !== null) !== length > limit) throw new Error('misread');
      });
    } finally {
      Object.assign(Buffer, { alloc, allocUnsafe, allocUnsafeSlow });
    }
  });
});

function header(length: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES, 1);
  bytes.writeUInt32BE(length);
  return bytes;
}
