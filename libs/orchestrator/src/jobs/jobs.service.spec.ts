import type timers from 'node:timers/promises';
import { setImmediate } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { createCommandPolicy } from '@sandbox/command-policy';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SessionEntrance } from '../entering/session-entrance';
import { JobsService } from './jobs.service';
import { CONFIG, ended, idOf, line, linesOf, REF, setUp, USER, type Answers } from './testing/fake-keepers';

beforeAll(() => Logger.overrideLogger(false));

/** Answers as a sandbox that lists these jobs and agrees to anything else. */
const listing =
  (...lines: object[]): Answers =>
  async (request, send) => {
    if (request.op === 'job_list') send(linesOf(...lines));
    await setImmediate();
    return {};
  };

describe('JobsService, when a sandbox lists any jobs it likes', () => {
  const services: JobsService[] = [];
  afterEach(() => services.splice(0).forEach((each) => each.beforeApplicationShutdown()));

  async function open(answers: Answers, stored: number[] = []) {
    const { calls, scripts, store, sandbox } = await setUp(answers);
    const add = (number: number): Promise<unknown> => {
      const startedAt = store.now() - 3_600_000 + number * 1000;
      const record = {
        jobId: idOf(number),
        containerId: 'container',
        startId: 'start',
        command: 'x',
        startedAt,
        deadline: store.now() + 3_600_000,
      };
      return store.addJob(REF.key, sandbox.record.generation, record, 99);
    };
    for (const number of stored) await add(number);
    for (const name of Object.keys(scripts)) delete scripts[name];
    const entrance = { enterSession: (_ref: unknown, _maxMs: number, work: (entered: typeof sandbox) => unknown) => work(sandbox) };
    const jobs = new JobsService(CONFIG, store, createCommandPolicy(['*']), entrance as unknown as SessionEntrance);
    services.push(jobs);
    const deleted = (): string[] => calls.flatMap((call) => (call.op === 'job_delete' ? [call.job_id] : []));
    return { jobs, store, scripts, add, deleted };
  }

  const many = (of: typeof line): object[] => Array.from({ length: 250 }, (_, number) => of(1000 + number));

  it('makes few store calls when the sandbox lists hundreds of jobs', async () => {
    for (const lines of [many(ended), many(line), [...many(line), ...many(ended).slice(0, 3)]]) {
      const { jobs, scripts } = await open(listing(ended(1), ...lines), [1]);
      expect((await jobs.listJobs(USER, 'session')).length).toBeGreaterThan(250);
      const { now: _, ...written } = scripts;
      expect(Object.values(written).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(10);
    }
  });

  it('refuses a list and writes nothing when it is longer than an agent sends', async () => {
    const { jobs, scripts } = await open(listing(...many(ended), ...many((number) => line(number + 1000))));
    await expect(jobs.listJobs(USER, 'session')).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    expect(scripts).toEqual({});
  });

  it('deletes the oldest ended job that the store knows when a new job needs room', async () => {
    const { jobs, store, deleted } = await open(listing(ended(9), line(1), ended(2), ended(3)), [1, 2, 3]);
    const { job_id } = await jobs.startJob(USER, 'session', { command: 'true' });
    expect(deleted()).toEqual([idOf(2)]);
    expect((await store.listJobs(REF.key)).map(({ jobId }) => jobId)).toEqual([idOf(1), idOf(3), job_id]);
  });

  it('deletes no job when the store knows none of the ended ones', async () => {
    const { jobs, deleted } = await open(listing(line(1), line(2), line(3), ...many(ended)), [1, 2, 3]);
    await expect(jobs.startJob(USER, 'session', { command: 'true' })).rejects.toMatchObject({ code: 'TOO_MANY_JOBS' });
    expect(deleted()).toEqual([]);
  });

  it('stops deleting when a new ended job appears for each deleted one', async () => {
    let next = 100;
    const { jobs, add, deleted } = await open(
      async (request, send) => {
        if (request.op === 'job_list') send(linesOf(line(1), line(2), ended(next)));
        if (request.op === 'job_delete') await add(++next);
        await setImmediate();
        return {};
      },
      [1, 2, 100],
    );
    await expect(jobs.startJob(USER, 'session', { command: 'true' })).rejects.toMatchObject({ code: 'TOO_MANY_JOBS' });
    expect(deleted()).toHaveLength(3);
  });

  it('shows a job as running when its keeper exists but does not answer', async () => {
    const { jobs, deleted } = await open(
      listing(line(1), line(2), { job_id: idOf(3), silent: true }, { job_id: idOf(8), silent: true }),
      [1, 2, 3],
    );
    const listed = (await jobs.listJobs(USER, 'session')).map(({ job_id, state, stdout_bytes }) => [job_id, state, stdout_bytes]);
    expect(listed).toEqual([
      [idOf(1), 'running', 1],
      [idOf(2), 'running', 1],
      [idOf(3), 'running', null],
    ]);
    await expect(jobs.startJob(USER, 'session', { command: 'true' })).rejects.toMatchObject({ code: 'TOO_MANY_JOBS' });
    expect(deleted()).toEqual([]);
  });

  it('shows a job as lost when the sandbox has no keeper for it', async () => {
    const { jobs } = await open(listing(line(1)), [1, 2]);
    expect((await jobs.listJobs(USER, 'session')).map(({ state }) => state)).toEqual(['running', 'lost']);
  });
});

describe('JobsService.streamOutput', () => {
  const services: JobsService[] = [];
  afterEach(() => services.splice(0).forEach((each) => each.beforeApplicationShutdown()));

  /** Each request gets the next answer: the bytes from its offset on, and what follows. */
  async function stream(
    query: Parameters<JobsService['streamOutput']>[3],
    ...answers: { bytes: string; eof?: boolean; fail?: SandboxError }[]
  ) {
    const left = [...answers];
    const { calls, store, sandbox } = await setUp((request, send) => {
      if (request.op !== 'job_stream') return {};
      const { bytes, eof = false, fail } = left.shift()!;
      const first = request.offset ?? 5;
      send(Buffer.from(`${JSON.stringify({ offset: first })}\n${bytes}`));
      if (fail !== undefined) throw fail;
      return { next_offset: first + bytes.length, eof };
    });
    const entrance = { enterSession: (_ref: unknown, _maxMs: number, work: (entered: typeof sandbox) => unknown) => work(sandbox) };
    const jobs = new JobsService(CONFIG, store, createCommandPolicy(['*']), entrance as unknown as SessionEntrance);
    services.push(jobs);
    const told: (number | string)[] = [];
    const watcher = { begin: (offset: number) => void told.push(offset), bytes: (chunk: Buffer) => void told.push(chunk.toString()) };
    const failure = await jobs
      .streamOutput(USER, 'session', idOf(1), query, watcher, new AbortController().signal)
      .catch((error: unknown) => error);
    return {
      told,
      failure,
      asked: calls.map((call) => (call.op === 'job_stream' ? [call.stream, call.offset, call.limit, call.follow_ms] : [])),
    };
  }

  it('goes on after each answer until the job has ended, and tells the beginning once', async () => {
    const { told, failure, asked } = await stream({}, { bytes: 'ab' }, { bytes: 'c' }, { bytes: 'd', eof: true });
    expect([told, failure]).toEqual([[5, 'ab', 'c', 'd'], undefined]);
    expect(asked).toEqual([null, 7, 8].map((offset) => ['stdout', offset, null, 60_000]));
  });

  it('asks for what is left of the limit, and no more', async () => {
    const { told, asked } = await stream({ stream: 'stderr', offset: 3, limit: 3 }, { bytes: 'ab' }, { bytes: 'c' });
    expect([told, asked]).toEqual([
      [3, 'ab', 'c'],
      [
        ['stderr', 3, 3, 60_000],
        ['stderr', 5, 1, 60_000],
      ],
    ]);
  });

  it('asks once when the caller says how long to wait', async () => {
    expect(await stream({ wait_seconds: 2 }, { bytes: 'ab' })).toEqual({
      told: [5, 'ab'],
      failure: undefined,
      asked: [['stdout', null, null, 2000]],
    });
  });

  it('fails and gives nothing more when bytes were dropped on the way', async () => {
    const fail = new SandboxError(ErrorCode.RANGE_NOT_SATISFIABLE, 'The bytes before offset 99 are dropped already.');
    const { told, failure } = await stream({}, { bytes: 'ab' }, { bytes: 'c', fail });
    expect([told, failure]).toEqual([[5, 'ab', 'c'], fail]);
  });

  it('says that there is no such job when neither the sandbox nor the store knows it', async () => {
    const fail = new SandboxError(ErrorCode.JOB_NOT_FOUND, 'There is no such job.');
    expect((await stream({}, { bytes: '', fail })).failure).toMatchObject({ code: 'JOB_NOT_FOUND' });
  });
});

describe('JobsService.waitForJob', () => {
  const services: JobsService[] = [];
  afterEach(() => services.splice(0).forEach((each) => each.beforeApplicationShutdown()));

  /** The job runs until `rounds` waits are over. Each of them ends at once. */
  async function wait(seconds: number, rounds: number, { fail, gone = false }: { fail?: SandboxError; gone?: boolean } = {}) {
    let waits = 0;
    const end = new AbortController();
    const { calls, store, sandbox } = await setUp((request, send) => {
      if (request.op === 'job_output') {
        waits++;
        if (gone) end.abort();
        if (fail !== undefined) throw fail;
        return {};
      }
      send(Buffer.from('"true"'));
      return (waits < rounds ? line(1) : ended(1)) as Record<string, unknown>;
    });
    const entrance = { enterSession: (_ref: unknown, _maxMs: number, work: (entered: typeof sandbox) => unknown) => work(sandbox) };
    const jobs = new JobsService(CONFIG, store, createCommandPolicy(['*']), entrance as unknown as SessionEntrance);
    services.push(jobs);
    const job = await jobs.waitForJob(USER, 'session', idOf(1), seconds, end.signal).catch((error: unknown) => error);
    const asked = calls.map((call) => (call.op === 'job_output' ? call.offsets : call.op));
    return { job, asked, calls };
  }

  it('asks for the job alone when it has ended, or when it is not to wait', async () => {
    expect(await wait(30, 0)).toMatchObject({ job: { state: 'exited' }, asked: ['job_stat'] });
    expect(await wait(0, 1)).toMatchObject({ job: { state: 'running' }, asked: ['job_stat'] });
  });

  it('lets the keeper wait for the end, and reads no output, when the job runs', async () => {
    const { job, asked, calls } = await wait(30, 1);
    expect([job, asked]).toEqual([expect.objectContaining({ state: 'exited' }), ['job_stat', {}, 'job_stat']]);
    expect(calls[1]).toMatchObject({ op: 'job_output', wait_ms: expect.any(Number) });
    expect((calls[1] as { wait_ms: number }).wait_ms).toBeGreaterThan(25_000);
  });

  it('asks the keeper again, and not at once, when it has not waited', async () => {
    const sleep = jest.spyOn(jest.requireActual<typeof timers>('node:timers/promises'), 'setTimeout').mockResolvedValue(undefined);
    expect((await wait(30, 3)).asked).toEqual(['job_stat', {}, 'job_stat', {}, 'job_stat', {}, 'job_stat']);
    expect(sleep.mock.calls).toEqual([[1_000], [1_000]]);
    sleep.mockRestore();
  });

  it('tells the job as it is when the time is over', async () => {
    expect((await wait(0.5, 99)).job).toMatchObject({ state: 'running' });
  });

  it('looks again when there is no keeper yet', async () => {
    const fail = new SandboxError(ErrorCode.JOB_NOT_FOUND, 'There is no such job.');
    expect(await wait(30, 1, { fail })).toMatchObject({ job: { state: 'exited' }, asked: ['job_stat', {}, 'job_stat'] });
  });

  it('ends when the client goes away, or the sandbox does', async () => {
    expect((await wait(30, 9, { gone: true })).job).toMatchObject({ code: 'CLIENT_CLOSED_REQUEST' });
    const fail = new SandboxError(ErrorCode.SANDBOX_LOST, 'It is gone.');
    expect((await wait(30, 9, { fail })).job).toBe(fail);
  });
});
