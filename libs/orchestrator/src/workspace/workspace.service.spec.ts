import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import type { CallOptions } from '../channel/channel';
import type { OpenSandbox } from '../entering/open-sandbox';
import type { SessionEntrance } from '../entering/session-entrance';
import { WorkspaceEntriesService } from './workspace-entries.service';
import { WorkspaceService } from './workspace.service';

const USER: User = { id: 'key:u' };
const HEADER = { modified: 1, offset: 0, etag: '1.2.3.4' };

/**
 * Creates the services over a sandbox that sends these pieces, while they are taken, and then its
 * END.
 */
function over(
  limit: number,
  pieces: Iterable<Buffer>,
  end: Record<string, unknown> = {},
): { workspace: WorkspaceService; entries: WorkspaceEntriesService; sent: () => number } {
  let sent = 0;
  const sendRequest = async (_request: unknown, { onOutput, signal }: CallOptions): Promise<Record<string, unknown>> => {
    for (const piece of pieces) {
      sent += piece.length;
      await onOutput?.('stdout', piece);
      await nextTurn();
      signal?.throwIfAborted();
    }
    return end;
  };
  const enterSession = async (_ref: unknown, _maxMs: number, work: (sandbox: OpenSandbox) => unknown): Promise<unknown> =>
    work({ channel: { sendRequest } } as unknown as OpenSandbox);
  const config = { DEPLOYMENT: 'd', WORKSPACE_MAX_FILE_SIZE_BYTES: limit } as Config;
  const entrance = { enterSession } as unknown as SessionEntrance;
  return { workspace: new WorkspaceService(config, entrance), entries: new WorkspaceEntriesService(config, entrance), sent: () => sent };
}

function* file(length: number, header: object = { ...HEADER, size: length, length }): Generator<Buffer> {
  yield Buffer.from(`${JSON.stringify(header)}\n`);
  for (let left = length; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), 'x');
}

beforeAll(() => Logger.overrideLogger(false));

describe('WorkspaceService.openRead', () => {
  it('reads a file as bytes when it is longer than the limit on files', async () => {
    const { workspace } = over(1000, file(200_000));
    const { size, content } = await workspace.openRead(USER, 's', 'f');
    expect([size, (await buffer(content)).length]).toEqual([200_000, 200_000]);
  });

  it.each([
    [{ start: 0 }, true],
    [{ start: 0, ifEtag: '"1.2.3.4"' }, true],
    [{ start: 0, ifEtag: '"1.2.3.5"' }, false],
    [{ firstLine: 1 }, false],
    [undefined, false],
  ])('says for %j whether it reads a range: %s', async (part, ranged) => {
    const { workspace } = over(0, file(10));
    expect(await workspace.readText(USER, 's', 'f', undefined, part)).toMatchObject({ size: 10, ranged });
  });
});

describe('WorkspaceService.readText', () => {
  it('reads a whole file when no limit is set', async () => {
    const { workspace } = over(0, file(200_000));
    const { content, encoding } = await workspace.readText(USER, 's', 'f');
    expect([content.length, encoding]).toEqual([200_000, 'utf8']);
  });

  it.each([
    ['longer than the limit, whatever the sandbox was asked for', 1_000_000],
    ['past the memory set aside for it, and no limit is set', 0],
  ])('refuses a file when it is %s', async (_, limit) => {
    const { workspace, sent } = over(limit, file(2 ** 40));
    await expect(workspace.readText(USER, 's', 'f')).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
    expect(sent()).toBeLessThan(2_000_000);
  });

  it('refuses an answer when its header does not end', async () => {
    const endless = (function* () {
      for (;;) yield Buffer.alloc(65_536, 'x');
    })();
    const { workspace, sent } = over(0, endless);
    await expect(workspace.readText(USER, 's', 'f')).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    expect(sent()).toBeLessThan(1_000_000);
  });
});

describe('WorkspaceService, by the END of a file call', () => {
  const written = { size: 3, created: true, etag: '1.2.3.4' };

  it('says what was written when END makes sense', async () => {
    const { workspace } = over(0, [], written);
    expect(await workspace.writeFile(USER, 's', 'f', Buffer.from('abc'))).toEqual({ ...written, path: 'f', etag: '"1.2.3.4"' });
  });

  it.each([
    { size: 'many' },
    { size: '3' },
    { size: -1 },
    { size: 1.5 },
    { size: 2 ** 60 },
    { size: null },
    { size: [3] },
    { size: undefined },
    { created: 'true' },
    { created: 1 },
    { created: null },
    { created: undefined },
    { etag: 7 },
  ])('refuses the END of a write when it says %j', async (wrong) => {
    const { workspace } = over(0, [], { ...written, ...wrong });
    await expect(workspace.writeFile(USER, 's', 'f', Buffer.from('abc'))).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  });

  const entry = Buffer.from(`${JSON.stringify({ name: 'a', type: 'file', size: 1, modified: 1 })}\n`);

  it.each([true, false])('says whether a listing is cut when END says %j', async (truncated) => {
    const { entries } = over(0, [entry], { count: 1, truncated, skipped: 0 });
    expect(await entries.listEntries(USER, 's', '')).toMatchObject({ entries: [{ name: 'a' }], truncated });
  });

  it('says what a listing has left out, and counts what is not listed', async () => {
    const skip = { path: 'b', reason: 'not_readable' };
    const { entries } = over(0, [entry, Buffer.from(`${JSON.stringify(skip)}\n`)], { count: 1, truncated: false, skipped: 60 });
    expect(await entries.listEntries(USER, 's', '')).toMatchObject({ entries: [{ name: 'a' }], skipped: [skip], skipped_total: 60 });
  });

  it.each(['true', 1, 0, null, undefined, {}])('refuses the END of a listing when it says truncated: %j', async (truncated) => {
    const { entries } = over(0, [entry], { count: 1, truncated, skipped: 0 });
    await expect(entries.listEntries(USER, 's', '')).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  });
});
