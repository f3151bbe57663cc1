import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { SandboxError } from '@sandbox/errors';
import type { Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import { StreamError } from '../channel/stream-error';
import type { OpenSandbox } from '../entering/open-sandbox';
import type { SessionEntrance } from '../entering/session-entrance';
import type { ChangeWatcher } from './directory-watch';
import { type WatchOptions, WorkspaceWatchService } from './workspace-watch.service';

const USER: User = { id: 'key:u' };
const READY = '{"ready":true}\n';
const CREATE = '{"type":"create","is_dir":false,"path":"a"}\n';

/** The agent's end of the stream: it takes what the host writes, and gives what the test pushes. */
class FakeStream extends Duplex {
  written = '';
  reads = 0;
  constructor() {
    super({ readableHighWaterMark: 1 });
    this.on('error', () => undefined);
  }
  override _read(): void {
    this.reads += 1;
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written += chunk.toString();
    done();
  }
}

let stream: FakeStream;
let steps: number[];
let told: unknown[];
let gone: AbortController;
const channel = { openStream: jest.fn(async (_header: object, _options: object) => ({ stream: stream as Duplex, facts: {} })) };
let opened: object;
let service: WorkspaceWatchService;

const watcher: ChangeWatcher = {
  ready: () => void told.push('ready'),
  change: ({ type, path }) => void told.push(`${type} ${path}`),
  lost: ({ reason }) => void told.push(`lost ${reason}`),
};

beforeAll(() => Logger.overrideLogger(false));
beforeEach(() => {
  jest.clearAllMocks();
  stream = new FakeStream();
  steps = [];
  told = [];
  gone = new AbortController();
  opened = channel;
  const enterSession = async (_ref: unknown, maxMs: number, work: (sandbox: OpenSandbox) => unknown): Promise<unknown> => {
    steps.push(maxMs);
    return work({ channel: opened } as unknown as OpenSandbox);
  };
  service = new WorkspaceWatchService({ DEPLOYMENT: 'd' } as Config, { enterSession } as unknown as SessionEntrance);
});
afterEach(() => jest.useRealTimers());

const watch = (path = 'd', options: WatchOptions = {}, by = watcher): Promise<string> =>
  service.watchDirectory(USER, 's', path, options, by, gone.signal);
/** Runs what waits, also while timers are fake. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
};
const fakeTimers = (): void => void jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });

describe('WorkspaceWatchService', () => {
  it('hands over what the agent tells, and ends when the directory is gone', async () => {
    const ended = watch('/workspace/d', { recursive: true });
    stream.push(READY.slice(0, 5));
    stream.push(`${READY.slice(5)}${CREATE}{"lost":"overflow"}\n`);
    stream.push(null);
    await expect(ended).resolves.toBe('directory_gone');
    expect(told).toEqual(['ready', 'create a', 'lost overflow']);
    expect(channel.openStream.mock.calls).toEqual([[{ kind: 'watch' }, { idleMs: Infinity }]]);
    expect(stream.written).toBe('{"path":"d","recursive":true}\n');
    expect(stream.destroyed).toBe(true);
  });

  it('reads no more while the watcher takes nothing', async () => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const change: ChangeWatcher['change'] = (each) => {
      void watcher.change(each);
      return held;
    };
    const ended = watch('', {}, { ...watcher, change });
    stream.push(READY + CREATE);
    await settle();
    const { reads } = stream;
    stream.push(CREATE);
    stream.push(CREATE);
    await settle();
    expect([told, stream.reads - reads]).toEqual([['ready', 'create a'], 0]);
    release();
    stream.push(null);
    await ended;
    expect(told).toHaveLength(4);
  });

  it.each([
    ['a change before ready', CREATE],
    ['ready twice', READY + READY],
    ['a line that is none', `${READY}x\n`],
    ['a line without end', `${READY}${' '.repeat(70_000)}`],
  ])('breaks off when the agent sends %s', async (_what, text) => {
    const ended = watch();
    stream.push(text);
    await expect(ended).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    expect(stream.destroyed).toBe(true);
  });

  it('breaks off when the agent ends the stream before it is ready', async () => {
    const ended = watch();
    stream.push(null);
    await expect(ended).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  });

  it.each([
    ['NOT_FOUND', 'NOT_FOUND'],
    ['NOT_A_DIRECTORY', 'NOT_A_DIRECTORY'],
    ['SANDBOX_EXHAUSTED', 'SANDBOX_EXHAUSTED'],
    ['TOO_MANY_STREAMS', 'TOO_MANY_CONNECTIONS'],
    ['UNAUTHORIZED', 'SANDBOX_LOST'],
  ])('answers a reset with %s by %s', async (given, code) => {
    const ended = watch();
    await settle();
    stream.destroy(new StreamError(given, 'Why.'));
    await expect(ended).rejects.toMatchObject({ code });
    channel.openStream.mockRejectedValueOnce(new StreamError(given, 'Why.'));
    await expect(watch()).rejects.toMatchObject({ code });
  });

  describe('when each entry is to be described', () => {
    const stat = { type: 'file', size: 3, modified: 1_735_689_600, mode: 0o600, etag: '1' };
    const entries: unknown[] = [];
    const describing: ChangeWatcher = { ...watcher, change: (change, entry) => void entries.push([change.type, entry]) };
    const sendRequest = jest.fn(async (_request: object, _options: object): Promise<object> => stat);
    const heard = async (path: string, line: string): Promise<unknown[]> => {
      entries.length = 0;
      stream = new FakeStream();
      const ended = watch(path, { describe: true }, describing);
      stream.push(`${READY}${line}`);
      stream.push(null);
      await ended;
      return entries;
    };
    beforeEach(() => {
      opened = { ...channel, sendRequest };
    });

    it('says what it is', async () => {
      const file = { type: 'file', size: 3, modified: '2025-01-01T00:00:00.000Z', mode: '0600', etag: '"1"' };
      expect(await heard('d', CREATE)).toEqual([['create', { path: 'd/a', ...file }]]);
      expect(sendRequest.mock.calls[0]![0]).toEqual({ op: 'stat', path: 'd/a' });
      expect(await heard('', '{"type":"rename","is_dir":false,"path":"b","from":"a"}\n')).toEqual([['rename', { path: 'b', ...file }]]);
    });

    it('names an entry by its bytes when they are no UTF-8', async () => {
      await heard('d', '{"type":"chmod","is_dir":false,"path_base64":"/w=="}\n');
      expect(sendRequest.mock.calls[0]![0]).toEqual({ op: 'stat', path: 'd/\ufffd', path_base64: 'ZC//' });
    });

    it('asks nothing about what was removed', async () => {
      expect(await heard('d', '{"type":"remove","is_dir":false,"path":"a"}\n')).toEqual([['remove', null]]);
      expect(sendRequest).not.toHaveBeenCalled();
    });

    it.each(['NOT_FOUND', 'NOT_A_DIRECTORY', 'PATH_OUTSIDE_WORKSPACE'] as const)(
      'knows nothing of it when the answer is %s',
      async (code) => {
        sendRequest.mockRejectedValueOnce(new SandboxError(code, 'Why.'));
        expect(await heard('d', CREATE)).toEqual([['create', null]]);
      },
    );

    it('ends the watch when the answer is any other error', async () => {
      sendRequest.mockRejectedValueOnce(new SandboxError('SANDBOX_LOST', 'Why.'));
      await expect(heard('d', CREATE)).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    });
  });

  it('asks no agent when the path is refused', async () => {
    await expect(watch('/etc')).rejects.toMatchObject({ code: 'PATH_OUTSIDE_WORKSPACE' });
    expect(steps).toEqual([]);
  });

  it('ends when the client goes away, and when the process is to end', async () => {
    const left = watch();
    stream.push(READY);
    await settle();
    gone.abort();
    await expect(left).rejects.toMatchObject({ code: 'CLIENT_CLOSED_REQUEST' });
    expect(stream.destroyed).toBe(true);

    stream = new FakeStream();
    gone = new AbortController();
    const stopped = watch();
    await settle();
    service.endWatches();
    await expect(stopped).resolves.toBe('server_stopping');
    expect(stream.destroyed).toBe(true);
  });

  it('gives the sandbox up when it does not watch the directory in time', async () => {
    fakeTimers();
    const ended = watch();
    await settle();
    jest.advanceTimersByTime(60_000);
    await expect(ended).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
  });

  it('enters the session again and again, each time for 5 minutes, and ends after 24 hours', async () => {
    fakeTimers();
    const ended = watch();
    stream.push(READY);
    await settle();
    for (let minutes = 0; minutes < 20; minutes += 5) {
      jest.advanceTimersByTime(300_000);
      await settle();
    }
    expect(steps).toEqual([300_000, 300_000, 300_000, 300_000, 300_000]);
    expect([channel.openStream.mock.calls.length, stream.destroyed]).toEqual([1, false]);
    stream.push(CREATE);
    await settle();
    expect(told).toEqual(['ready', 'create a']);
    jest.advanceTimersByTime(24 * 3600 * 1000);
    await expect(ended).resolves.toBe('time_over');
  });

  it('ends when the credential expires', async () => {
    fakeTimers();
    const ended = watch('d', { expiresAt: Date.now() + 1000 });
    await settle();
    jest.advanceTimersByTime(1001);
    await expect(ended).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it('breaks off when the session has another sandbox at its next step', async () => {
    fakeTimers();
    const ended = watch();
    stream.push(READY);
    await settle();
    opened = { ...channel };
    jest.advanceTimersByTime(300_000);
    await expect(ended).rejects.toBeInstanceOf(SandboxError);
    expect(channel.openStream.mock.calls).toHaveLength(1);
  });
});
