import type { JobStream, StreamPart } from '../keepers/job-answers';
import { JobReader, type JobOffsets } from './job-reader';

type Told = [what: 'output' | 'gap', stream: JobStream, value: string | number, next: JobOffsets];

function follow(streams: readonly JobStream[] = ['stdout'], encoding: 'utf8' | 'base64' = 'utf8') {
  const told: Told[] = [];
  const reader = new JobReader({ stdout: 0, stderr: 0 }, streams, encoding, {
    output: (stream, data, next) => void told.push(['output', stream, data, next]),
    gap: (stream, bytes, next) => void told.push(['gap', stream, bytes, next]),
  });
  const at: Record<JobStream, number> = { stdout: 0, stderr: 0 };
  /** The agent's answer about one stream, `gap` bytes after the last one. */
  const take = async (stream: JobStream, bytes: Buffer | string, { gap = 0, eof = false } = {}): Promise<void> => {
    const data = Buffer.from(bytes);
    at[stream] += gap + data.length;
    const parts: Partial<Record<JobStream, StreamPart>> = { [stream]: { nextOffset: at[stream], gap, eof } };
    for (const other of streams) parts[other] ??= { nextOffset: at[other], gap: 0, eof: false };
    await reader.takeOutput({ stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), [stream]: data }, parts);
  };
  return { told, reader, take };
}

describe('JobReader', () => {
  it.each([1, 100, 65_535, 65_536, 65_537, 10_000_000])('tells a gap of %i bytes when output follows it', async (gap) => {
    const { told, take } = follow();
    await take('stdout', 'a');
    await take('stdout', 'b', { gap });
    expect(told).toEqual([
      ['output', 'stdout', 'a', { stdout: 1, stderr: 0 }],
      ['gap', 'stdout', gap, { stdout: gap + 1, stderr: 0 }],
      ['output', 'stdout', 'b', { stdout: gap + 2, stderr: 0 }],
    ]);
  });

  it('tells a gap when no output follows it', async () => {
    const { told, take } = follow();
    await take('stdout', '', { gap: 5, eof: true });
    expect(told).toEqual([['gap', 'stdout', 5, { stdout: 5, stderr: 0 }]]);
  });

  it('tells no gap and no output when nothing has come', async () => {
    const { told, take } = follow();
    await take('stdout', '');
    expect(told).toEqual([]);
  });

  it('goes on before a character when only its beginning has come', async () => {
    const { told, take, reader } = follow(['stdout', 'stderr']);
    const [first, last] = [Buffer.from('a€').subarray(0, 3), Buffer.from('a€').subarray(3)];
    await take('stdout', first);
    await take('stderr', 'x');
    expect(reader.wanted).toEqual({ stdout: 3, stderr: 1 });
    await take('stdout', last);
    expect(told).toEqual([
      ['output', 'stdout', 'a', { stdout: 1, stderr: 0 }],
      ['output', 'stderr', 'x', { stdout: 1, stderr: 1 }],
      ['output', 'stdout', '€', { stdout: 4, stderr: 1 }],
    ]);
  });

  it('drops the beginning of a character when its end is in a gap', async () => {
    const { told, take } = follow();
    await take('stdout', Buffer.from('€').subarray(0, 2));
    await take('stdout', 'b', { gap: 3 });
    expect(told).toEqual([
      ['gap', 'stdout', 3, { stdout: 5, stderr: 0 }],
      ['output', 'stdout', 'b', { stdout: 6, stderr: 0 }],
    ]);
  });

  it('counts the rest of a character to the gap when its beginning was dropped', async () => {
    const { told, take } = follow();
    await take('stdout', Buffer.from('€b').subarray(1), { gap: 4 });
    expect(told).toEqual([
      ['gap', 'stdout', 6, { stdout: 6, stderr: 0 }],
      ['output', 'stdout', 'b', { stdout: 7, stderr: 0 }],
    ]);
  });

  it('gives U+FFFD for the beginning of a character when the stream ends in it', async () => {
    const { told, take } = follow();
    await take('stdout', Buffer.from('a€').subarray(0, 2), { eof: true });
    expect(told).toEqual([['output', 'stdout', 'a\ufffd', { stdout: 2, stderr: 0 }]]);
  });

  it('gives every byte as it came when the encoding is base64', async () => {
    const { told, take } = follow(['stdout'], 'base64');
    await take('stdout', Buffer.of(0xff, 0xe2));
    expect(told).toEqual([['output', 'stdout', '/+I=', { stdout: 2, stderr: 0 }]]);
  });

  it('asks for no more of a stream that has ended, and is done when all have ended', async () => {
    const { take, reader } = follow(['stdout', 'stderr']);
    await take('stdout', 'a', { eof: true });
    expect([reader.wanted, reader.done]).toEqual([{ stderr: 0 }, false]);
    await take('stderr', '', { eof: true });
    expect([reader.wanted, reader.done]).toEqual([{}, true]);
  });
});
