import { idOf, setUp, type Answers } from '../jobs/testing/fake-keepers';
import { streamKept, type StreamRange } from './stream-kept';

const UNSOUND = { code: 'SANDBOX_LOST', message: 'The sandbox gave an answer that makes no sense.' };
const ALL: StreamRange = { stream: 'stdout', offset: null, limit: null };

async function stream(answers: Answers, range: StreamRange = ALL) {
  const { sandbox, calls } = await setUp(answers);
  const told: (number | string)[] = [];
  const watcher = { begin: (offset: number) => void told.push(offset), bytes: (chunk: Buffer) => void told.push(chunk.toString('latin1')) };
  const end = await streamKept(sandbox, idOf(1), range, 1000, watcher, new AbortController().signal).catch((error: unknown) => error);
  return { end, told, calls };
}

/** Answers with these pieces, and this END. */
const sending =
  (end: object, ...pieces: (string | Buffer)[]): Answers =>
  (_request, send) => {
    for (const piece of pieces) send(Buffer.from(piece as string, 'latin1'));
    return end as Record<string, unknown>;
  };

describe('streamKept', () => {
  it('gives the offset first and then every byte as it came', async () => {
    const { end, told, calls } = await stream(sending({ next_offset: 10, eof: true }, '{"offset":7}\n\xff', '\n\0'));
    expect(told).toEqual([7, '\xff', '\n\0']);
    expect(end).toEqual({ nextOffset: 10, size: 3, eof: true });
    expect(calls).toEqual([{ op: 'job_stream', job_id: idOf(1), stream: 'stdout', offset: null, limit: null, follow_ms: 1000 }]);
  });

  it('gives the same when the answer comes byte by byte', async () => {
    const bytes = [...'{"offset":0}\nab\n'].map((byte) => byte);
    expect((await stream(sending({ next_offset: 3, eof: false }, ...bytes))).told).toEqual([0, 'a', 'b', '\n']);
  });

  it.each<[string, object, string[]]>([
    ['no line', { next_offset: 0, eof: true }, []],
    ['half a line', { next_offset: 0, eof: true }, ['{"offset":0}']],
    ['a line that is no JSON', { next_offset: 0, eof: true }, ['x\n']],
    ['a line without an offset', { next_offset: 0, eof: true }, ['{}\n']],
    ['a negative offset', { next_offset: -1, eof: true }, ['{"offset":-1}\n']],
    ['a line without an end', { next_offset: 0, eof: true }, [' '.repeat(5000)]],
    ['fewer bytes than it says', { next_offset: 3, eof: true }, ['{"offset":0}\n', 'ab']],
    ['more bytes than it says', { next_offset: 1, eof: true }, ['{"offset":0}\n', 'ab']],
    ['no word on its end', { next_offset: 2 }, ['{"offset":0}\n', 'ab']],
  ])('refuses an answer when it has %s', async (_what, end, pieces) => {
    expect((await stream(sending(end, ...pieces))).end).toMatchObject(UNSOUND);
  });

  it('refuses an answer when it begins at another offset, or is longer than was asked for', async () => {
    const line = '{"offset":4}\n';
    const other = await stream(sending({ next_offset: 5, eof: true }, line, 'a'), { ...ALL, offset: 3 });
    expect([other.end, other.told]).toEqual([expect.objectContaining(UNSOUND), []]);
    const long = await stream(sending({ next_offset: 7, eof: true }, line, 'abc'), { ...ALL, offset: 4, limit: 2 });
    expect(long.end).toMatchObject({ code: 'SANDBOX_LOST' });
  });

  it('refuses an answer when bytes come as stderr', async () => {
    const answers: Answers = (_request, send) => {
      send(Buffer.from('{"offset":0}\n'));
      send(Buffer.from('a'), 'stderr');
      return { next_offset: 1, eof: true };
    };
    expect((await stream(answers)).end).toMatchObject(UNSOUND);
  });
});
