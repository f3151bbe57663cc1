import {
  AgentFrame,
  decodeNumber,
  encodeNumber,
  encodeFrame,
  type Frame,
  FrameReader,
  framePieces,
  HEADER_BYTES,
  MAX_AGENT_PAYLOAD_BYTES,
} from './frames';

const LIMIT = MAX_AGENT_PAYLOAD_BYTES;

function readAll(chunks: readonly Buffer[], limit = LIMIT): { frames: Frame[]; violation: string | null } {
  const reader = new FrameReader(limit);
  const frames: Frame[] = [];
  let violation: string | null = null;
  for (const chunk of chunks) {
    const result = reader.push(chunk);
    frames.push(...result.frames);
    violation = result.violation;
  }
  return { frames, violation };
}

describe('encodeFrame', () => {
  it('writes length, type, id and payload when it has a payload', () => {
    expect(encodeFrame(17, 0x01020304, Buffer.from('ab')).toString('hex')).toBe('0000000211010203046162');
  });

  it('counts bytes when the payload is text', () => {
    expect(readAll([encodeFrame(1, 5, '{"path":"ü😀"}')]).frames[0]!.payload.toString()).toBe('{"path":"ü😀"}');
  });

  it('writes one u32 when the frame gives credit', () => {
    const { frames } = readAll([encodeNumber(AgentFrame.CREDIT, 9, 0xffffffff)]);
    expect(decodeNumber(frames[0]!.payload)).toBe(0xffffffff);
    expect(decodeNumber(Buffer.alloc(3))).toBeNull();
    expect(decodeNumber(Buffer.alloc(5))).toBeNull();
  });
});

describe('framePieces', () => {
  it('gives the same bytes as encodeFrame, and copies no payload when it is large', () => {
    for (const size of [1, 8 * 1024 - 1, 8 * 1024, LIMIT]) {
      const payload = Buffer.alloc(size, 'x');
      const pieces = framePieces(2, 7, payload);
      expect(Buffer.concat(pieces).equals(encodeFrame(2, 7, payload))).toBe(true);
      expect(pieces.includes(payload)).toBe(size >= 8 * 1024);
    }
  });
});

describe('FrameReader', () => {
  const sent = [
    { type: 16, id: 0, payload: Buffer.from('{}') },
    { type: 17, id: 1, payload: Buffer.from('hello') },
    { type: 21, id: 0, payload: Buffer.alloc(0) },
    { type: 19, id: 0xffffffff, payload: Buffer.from('{"ok":{}}') },
  ];
  const stream = Buffer.concat(sent.map(({ type, id, payload }) => encodeFrame(type, id, payload)));

  it('reads frames when they are split at any two points', () => {
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second++) {
        const chunks = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
        expect(readAll(chunks)).toEqual({ frames: sent, violation: null });
      }
    }
  });

  it('reads frames when they come byte by byte', () => {
    expect(readAll(Array.from(stream, (byte) => Buffer.from([byte])))).toEqual({ frames: sent, violation: null });
  });

  it('copies no payload when it lies whole in its chunk', () => {
    const { payload } = readAll([stream]).frames[1]!;
    expect(payload.buffer).toBe(stream.buffer);
  });

  it('reads a payload when it has exactly the limit', () => {
    const payload = Buffer.alloc(LIMIT, 7);
    expect(readAll([encodeFrame(17, 1, payload)]).frames[0]!.payload.equals(payload)).toBe(true);
  });

  it('refuses a payload by its length, and reserves no memory, when it is longer', () => {
    const reader = new FrameReader(LIMIT);
    const header = encodeFrame(17, 1, Buffer.alloc(LIMIT + 1)).subarray(0, HEADER_BYTES);
    const { frames, violation } = reader.push(Buffer.concat([stream, header]));
    expect(frames).toHaveLength(sent.length);
    expect(violation).toMatch('65537');
    expect(reader.bufferedBytes).toBe(HEADER_BYTES);
    expect(reader.push(stream)).toEqual({ frames: [], violation });
  });
});
