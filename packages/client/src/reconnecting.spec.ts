import { NotFoundError, SandboxError } from './errors.ts';
import { resumedBytes } from './reconnecting.ts';

/** Bytes that come in these pieces. An error breaks them off. */
function body(...pieces: readonly (string | Error)[]): ReadableStream<Uint8Array> {
  const left = [...pieces];
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    const piece = left.shift();
    if (piece === undefined) controller.close();
    else if (piece instanceof Error) controller.error(piece);
    else controller.enqueue(new TextEncoder().encode(piece));
  };
  return new ReadableStream({ pull }, { highWaterMark: 0 });
}

const BROKEN = new TypeError('terminated');

describe('Bytes that are resumed', () => {
  it('go on after the last byte that came when a connection breaks', async () => {
    const asked: number[] = [];
    const answers = [body('de', BROKEN), body(BROKEN), body('f')];
    const stream = resumedBytes(body('ab', 'c', BROKEN), async (received) => {
      asked.push(received);
      return answers.shift()!;
    });
    expect(await new Response(stream).text()).toBe('abcdef');
    expect(asked).toEqual([3, 5, 5]);
  });

  it('fail with the API’s error when there is no going on', async () => {
    const error = new SandboxError({ status: 416 });
    const stream = resumedBytes(body('ab', BROKEN), () => Promise.reject(error));
    await expect(new Response(stream).text()).rejects.toBe(error);
  });

  it('fail when connections break again and again before anything comes', async () => {
    jest.useFakeTimers({ advanceTimers: 1_000 });
    const reopen = jest.fn(async () => body(BROKEN));
    await expect(new Response(resumedBytes(body(BROKEN), reopen)).text()).rejects.toMatchObject({ name: 'ConnectionError' });
    expect(reopen).toHaveBeenCalledTimes(5);
    jest.useRealTimers();
  });

  it('end with the reason of the caller who ends them', async () => {
    const end = new AbortController();
    const reason = new Error('enough');
    const stream = resumedBytes(
      body('a', BROKEN),
      () => {
        setImmediate(() => end.abort(reason));
        return Promise.resolve(body(BROKEN));
      },
      end.signal,
    );
    await expect(new Response(stream).text()).rejects.toBe(reason);
  });

  it('are cancelled with their reader', async () => {
    const cancel = jest.fn();
    const reader = resumedBytes(new ReadableStream({ cancel }), () => Promise.reject(new NotFoundError({ status: 404 }))).getReader();
    const first = reader.read();
    await reader.cancel('enough');
    expect([(await first).done, cancel.mock.calls]).toEqual([true, [['enough']]]);
  });
});
