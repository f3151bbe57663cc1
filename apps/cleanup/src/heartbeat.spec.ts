import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@sandbox/config';
import type { SweeperService, SweepListener } from '@sandbox/orchestrator';
import type { SessionStore } from '@sandbox/sessions';
import { CleanupModule } from './cleanup.module';
import { beat, isBeating } from './heartbeat';

// The process writes the heartbeat's file to the temporary directory. Here that is a directory of
// the test's own.
jest.mock('node:os', () => {
  const os = jest.requireActual<typeof import('node:os')>('node:os');
  const { mkdtempSync: make } = jest.requireActual<typeof import('node:fs')>('node:fs');
  const directory = make(`${os.tmpdir()}/heartbeat-spec-`);
  return { ...os, tmpdir: () => directory };
});

const NOW = 1_700_000_000_000;
const directory = tmpdir();

afterEach(() => {
  jest.restoreAllMocks();
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
});
afterAll(() => rmSync(directory, { recursive: true }));

const FILE = 'cleanup-heartbeat';

describe('the heartbeat', () => {
  it('counts until its time, and no longer, when the worker has noted one', async () => {
    await beat(NOW);
    expect(await isBeating(NOW - 1)).toBe(true);
    expect(await isBeating(NOW)).toBe(false);
    await beat(NOW + 5);
    expect(await isBeating(NOW)).toBe(true);
  });

  it.each([undefined, '', 'soon', '{}', `${NOW + 5}x`])('does not count when its file holds %j', async (content) => {
    if (content !== undefined) writeFileSync(join(directory, FILE), content);
    expect(await isBeating(NOW)).toBe(false);
  });

  it('replaces the last one whole, and leaves no other file, when it is noted again', async () => {
    await beat(NOW);
    await beat(NOW + 1);
    expect(readdirSync(directory)).toEqual([FILE]);
  });
});

describe('the cleanup worker', () => {
  it.each([
    [5, 60_000],
    [19, 60_000],
    [20, 60_000],
    [21, 63_000],
    [300, 900_000],
  ])('counts as well after a sweep when it sweeps every %i s, for %i ms', async (seconds, valid) => {
    jest.spyOn(Date, 'now').mockReturnValue(NOW);
    let swept: SweepListener | undefined;
    const sweeper = { onSwept: (listener: SweepListener) => (swept = listener) } as unknown as SweeperService;
    const config = loadConfig({ CLEANUP_INTERVAL_SECONDS: String(seconds) }, { needsAuth: false });
    expect(new CleanupModule(config, {} as SessionStore, sweeper)).toBeDefined();
    expect(readdirSync(directory)).toEqual([]);
    // A sweep also counts if Docker or Redis was away, because restarting the worker would not
    // help.
    await swept!({ complete: false } as never);
    expect(await isBeating(NOW + valid - 1)).toBe(true);
    expect(await isBeating(NOW + valid)).toBe(false);
  });
});
