import { Logger } from '@nestjs/common';
import { loadConfig } from '@sandbox/config';
import type { WebSocket } from 'ws';
import { ApiServer } from './api-server';
import { IsolationCheck } from './isolation';
import { Pods } from './pods';
import { endExec, FakeCluster } from './testing/fake-cluster';

let cluster: FakeCluster;
let pods: Pods;
const soon = (): AbortSignal => AbortSignal.timeout(20_000);

beforeEach(async () => {
  Logger.overrideLogger(false);
  cluster = await FakeCluster.begin();
});
afterEach(async () => {
  pods.watch.stop();
  await cluster.end();
});

/** @param said what the look from inside a pod finds */
function checkThatFinds(said: string, isRequired = true): IsolationCheck {
  cluster.exec = (socket: WebSocket, command) => {
    if (command[0] === 'python3') socket.send(Buffer.from(`\x01${said}\n`));
    endExec(socket, 0);
  };
  pods = new Pods(new ApiServer(cluster.access), loadConfig({ DEPLOYMENT: 'blue' }, { needsAuth: false }));
  return new IsolationCheck(pods, isRequired);
}
const made = (): number => cluster.requests.filter((each) => each.startsWith('POST') && each.endsWith('/pods')).length;

describe('IsolationCheck', () => {
  it.each(['none', 'blocked'])('lets sandboxes be made when a pod finds “%s”, and asks one pod', async (said) => {
    const check = checkThatFinds(said);
    await Promise.all([check.require(soon()), check.require(soon())]);
    await check.require(soon());
    expect([check.isolation, made(), cluster.all('pods')]).toEqual([said, 1, []]);
  });

  it('refuses sandboxes when a pod reaches something', async () => {
    const check = checkThatFinds('open');
    check.throwIfOpen();
    for (let n = 0; n < 2; n++) await expect(check.require(soon())).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' });
    expect(() => check.throwIfOpen()).toThrow(/NetworkPolicy/);
    expect([made(), cluster.all('pods')]).toEqual([1, []]);
  });

  it('refuses them when the pod says something else, and asks again', async () => {
    const check = checkThatFinds('Traceback');
    for (let n = 0; n < 2; n++) await expect(check.require(soon())).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' });
    expect([check.isolation, made()]).toEqual([null, 2]);
  });

  it('asks no pod when the operator does not require it', async () => {
    const check = checkThatFinds('open', false);
    await check.require(soon());
    expect(made()).toBe(0);
  });
});
