import { ConnectionError, SandboxLostError } from './errors.ts';
import { serverEvents } from './server-events.ts';

/** An answer of these pieces, which then ends, breaks off or stays open. */
function answer(pieces: readonly string[], end: 'ends' | 'breaks' | 'stays' = 'ends') {
  const cancelled = jest.fn();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const [piece, ...rest] = left;
      left = rest;
      if (piece !== undefined) controller.enqueue(new TextEncoder().encode(piece));
      else if (end === 'ends') controller.close();
      else if (end === 'breaks') controller.error(new TypeError('terminated'));
    },
    cancel: cancelled,
  });
  let left = pieces;
  return { response: new Response(body), cancelled };
}

async function all(response: Response, signal?: AbortSignal): Promise<unknown[]> {
  const events: unknown[] = [];
  for await (const event of serverEvents(response, 'exit', signal)) events.push(event);
  return events;
}

describe('The events of an answer', () => {
  it('are read in whatever pieces they come, without comments, until the last one', async () => {
    const text = ': wait\n\nevent: stdout\nid: 4-0\ndata: {"data":"é\\n"}\n\nevent: exit\ndata: {}\n\nevent: stdout\ndata: {}\n\n';
    const { response, cancelled } = answer([...text], 'stays');
    expect(await all(response)).toEqual([
      { event: 'stdout', id: '4-0', data: { data: 'é\n' } },
      { event: 'exit', id: undefined, data: {} },
    ]);
    expect(cancelled).toHaveBeenCalled();
  });

  it('end with the error that the API sends', async () => {
    const { response } = answer(['event: error\ndata: {"status":502,"code":"SANDBOX_LOST","detail":"Gone."}\n\n']);
    await expect(all(response)).rejects.toThrow(SandboxLostError);
  });

  it.each(['ends', 'breaks'] as const)('are a broken connection when the answer %s before the last one', async (end) => {
    await expect(all(answer(['event: stdout\ndata: {}\n\n'], end).response)).rejects.toThrow(ConnectionError);
  });

  it('end with the reason of the caller who ended the call', async () => {
    const reason = new Error('enough');
    await expect(all(answer([], 'breaks').response, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('are read no further when the caller leaves the loop', async () => {
    const { response, cancelled } = answer(['event: stdout\ndata: {}\n\n'], 'stays');
    for await (const event of serverEvents(response, 'exit')) {
      expect(event.event).toBe('stdout');
      break;
    }
    expect(cancelled).toHaveBeenCalled();
  });
});
