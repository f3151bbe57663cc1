import { once } from 'node:events';
import { TestApp } from '../../../../test/support/test-app';
import { shutDownOnSignal } from './shutdown';

describe('shutDownOnSignal', () => {
  let app: TestApp;
  let answer: () => void;
  let asked: Promise<void>;
  let exit: jest.SpyInstance;
  const exited = (): Promise<number> => new Promise((resolve) => exit.mockImplementation((code) => resolve(code as number)));

  beforeEach(async () => {
    exit = jest.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
    let ask: () => void;
    asked = new Promise((resolve) => (ask = resolve));
    app = await TestApp.start({
      orchestrator: {
        listSessions: () => {
          ask();
          return new Promise((resolve) => (answer = () => resolve([])));
        },
      },
    });
    shutDownOnSignal(app.app, app.config);
  });
  afterEach(async () => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.removeAllListeners(signal);
    await app.stop().catch(() => undefined);
    exit.mockRestore();
  });

  it('takes no more connections, lets a request finish, and exits with 0', async () => {
    const code = exited();
    const { url } = app;
    const request = app.fetch('/sessions');
    await asked;
    process.emit('SIGTERM');
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed');
    expect(exit).not.toHaveBeenCalled();
    answer();
    expect((await request).status).toBe(200);
    expect(await code).toBe(0);
  });

  it('does not wait for a connection that is only kept open', async () => {
    const code = exited();
    await (await app.fetch('/health')).text();
    process.emit('SIGINT');
    expect(await code).toBe(0);
  });

  it('exits at once on the second signal', async () => {
    const request = app.fetch('/sessions');
    await asked;
    process.emit('SIGTERM');
    process.emit('SIGTERM');
    expect(exit).toHaveBeenCalledWith(143);
    const closed = once(app.app.getHttpServer(), 'close');
    answer();
    await request;
    await closed;
  });
});
