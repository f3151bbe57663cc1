import { Logger } from '@nestjs/common';
import type { SessionRef } from '@sandbox/sessions';
import type { OpenSandbox } from '../entering/open-sandbox';
import { JobIndex } from './job-index';
import { JobWatch } from './job-watch';
import { CONFIG, ended, idOf, line, linesOf, REF, setUp } from './testing/fake-keepers';

beforeAll(() => Logger.overrideLogger(false));
beforeEach(() => jest.useFakeTimers({ doNotFake: ['performance'] }));
afterEach(() => jest.useRealTimers());

describe('JobWatch', () => {
  it('asks at most eight sessions at a time when there are many, and begins no round before the last ends', async () => {
    const watch = new JobWatch({} as JobIndex);
    let asked = 0;
    const waiting: (() => void)[] = [];
    const call = async (): Promise<object> => {
      asked += 1;
      await new Promise<void>((resolve) => waiting.push(resolve));
      throw new Error('later');
    };
    for (let number = 0; number < 50; number++) {
      watch.watchSession(
        { ...REF, key: `${number}` } as SessionRef,
        { channel: { open: true, sendRequest: call } } as unknown as OpenSandbox,
      );
    }
    await jest.advanceTimersByTimeAsync(10_000);
    expect(asked).toBeLessThanOrEqual(8);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(asked).toBeLessThanOrEqual(8);
    for (let turn = 0; turn < 50; turn++) {
      waiting.shift()!();
      await jest.advanceTimersByTimeAsync(0);
      expect(waiting.length).toBeLessThanOrEqual(8);
    }
    expect([asked, waiting.length]).toEqual([50, 0]);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(asked).toBeGreaterThan(50);
    watch.stopWatching();
  });

  it.each([
    ['asks again when one job still runs', [line(1), ended(2)], 2, 1],
    ['stops asking when the last job has ended', [ended(1), ended(2)], 1, 2],
    ['asks again when one job does not answer', [ended(2), { job_id: idOf(1), silent: true }], 2, 1],
    ['stops asking when only an unknown id does not answer', [ended(1), { job_id: idOf(9), silent: true }], 1, 1],
    ['releases no job when the store does not know it', [ended(1), ...Array.from({ length: 200 }, (_, i) => ended(1000 + i))], 1, 1],
  ])('%s', async (_name, lines, looks, ends) => {
    const { calls, store, sandbox, scripts } = await setUp((_request, send) => {
      send(linesOf(...lines));
      return {};
    });
    const index = new JobIndex(store, CONFIG);
    for (const number of [1, 2]) {
      await index.noteJob(REF, sandbox, { jobId: idOf(number), command: '', startedAt: store.now() }, store.now() + 1000);
    }
    const watch = new JobWatch(index);
    watch.watchSession(REF, sandbox);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(scripts.endCall).toBe(ends);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(calls).toHaveLength(looks);
    watch.stopWatching();
  });
});
