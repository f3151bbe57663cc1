import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { DirectListener } from '../channel/direct-listener';
import type { SandboxProcess } from '../channel/sandbox-process';
import type { SandboxRuntime } from './sandbox-runtime';
import { openAgentChannel } from './start-agent';

/** Two answers of an engine that come in any order, as no real engine could be told to give. */
class TwoAnswers {
  listener!: PromiseWithResolvers<DirectListener | null>;
  process!: PromiseWithResolvers<SandboxProcess>;
  readonly runtime: SandboxRuntime;

  constructor() {
    this.listener = withResolvers();
    this.process = withResolvers();
    const answers = { listenDirectly: () => this.listener.promise, startProcess: () => this.process.promise };
    this.runtime = answers as unknown as SandboxRuntime;
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onValue, onError) => ([resolve, reject] = [onValue, onError]));
  return { promise, resolve, reject };
}

const GONE = new Error('the engine is gone');

describe('openAgentChannel', () => {
  const unhandled = jest.fn();
  let answers: TwoAnswers;

  beforeEach(() => {
    answers = new TwoAnswers();
    process.on('unhandledRejection', unhandled);
  });
  afterEach(() => {
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('ends the process when the listener fails, before or after the process is there', async () => {
    for (const first of ['listener', 'process']) {
      answers = new TwoAnswers();
      const stream = new PassThrough();
      const opening = openAgentChannel(answers.runtime, 'c1');
      const outcome = opening.catch((error: unknown) => error);
      const steps = [
        () => answers.listener.reject(GONE),
        () => answers.process.resolve({ stream, ended: new Promise(() => undefined) } as SandboxProcess),
      ];
      for (const step of first === 'listener' ? steps : steps.toReversed()) {
        step();
        await setImmediate();
      }
      expect([first, await outcome, stream.destroyed]).toEqual([first, GONE, true]);
    }
  });

  it('closes the listener when the process fails, before or after the listener is there', async () => {
    for (const first of ['listener', 'process']) {
      answers = new TwoAnswers();
      const close = jest.fn();
      const outcome = openAgentChannel(answers.runtime, 'c1').catch((error: unknown) => error);
      const steps = [() => answers.listener.resolve({ close } as unknown as DirectListener), () => answers.process.reject(GONE)];
      for (const step of first === 'listener' ? steps : steps.toReversed()) {
        step();
        await setImmediate();
      }
      expect([first, await outcome, close.mock.calls.length]).toEqual([first, GONE, 1]);
    }
  });

  it('fails with the process’s reason when both fail', async () => {
    const outcome = openAgentChannel(answers.runtime, 'c1').catch((error: unknown) => error);
    answers.listener.reject(new Error('another'));
    await setImmediate();
    answers.process.reject(GONE);
    expect(await outcome).toBe(GONE);
  });
});
