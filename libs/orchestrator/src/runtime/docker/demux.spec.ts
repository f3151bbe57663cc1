import { createDemultiplexer } from './demux';

function frame(type: number, payload: string): Buffer {
  const header = Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

function collect() {
  const got = { stdout: '', stderr: '' };
  const demultiplexer = createDemultiplexer({
    stdout: (chunk) => void (got.stdout += chunk.toString()),
    stderr: (chunk) => void (got.stderr += chunk.toString()),
  });
  return { got, demultiplexer };
}

describe('createDemultiplexer', () => {
  const bytes = Buffer.concat([frame(1, 'one'), frame(2, 'err'), frame(1, ''), frame(1, 'two')]);

  it.each(Array.from({ length: bytes.length }, (_, size) => size + 1))('splits the streams when the bytes arrive %i at a time', (size) => {
    const { got, demultiplexer } = collect();
    for (let at = 0; at < bytes.length; at += size) demultiplexer.write(bytes.subarray(at, at + size));
    demultiplexer.end();
    expect(got).toEqual({ stdout: 'onetwo', stderr: 'err' });
  });

  it('passes a payload on when its frame is not whole yet', () => {
    const { got, demultiplexer } = collect();
    demultiplexer.write(frame(1, 'first half, second half').subarray(0, 18));
    expect(got.stdout).toBe('first half');
  });

  it.each([
    ['an unknown stream', [3, 0, 0, 0, 0, 0, 0, 1]],
    ['the stream of stdin', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['padding that is not zero', [1, 0, 1, 0, 0, 0, 0, 1]],
  ])('refuses a header when it has %s', (_, header) => {
    expect(() => collect().demultiplexer.write(Buffer.from(header))).toThrow('malformed');
  });

  it.each([
    ['a header', 4],
    ['a payload', 9],
  ])('refuses the end of the stream when it is inside %s', (_, length) => {
    const { demultiplexer } = collect();
    demultiplexer.write(frame(1, 'one').subarray(0, length));
    expect(() => demultiplexer.end()).toThrow('inside a frame');
  });
});
