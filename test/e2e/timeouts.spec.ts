import { Cluster, REPLICATED } from '../support/service/cluster';
import { docker } from '../support/service/deployment';
import { type Executed } from '../support/service/service';
import { TEST_CLUSTER } from '../support/cluster-under-test';
import { UNDER_GVISOR } from '../support/engine-under-test';

jest.setTimeout(180_000);

const DOUBLE_FORK = `python3 -c '
import os, time
print("before", flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sh", ["sh", "-c", "exec sleep 9.\${MARK:-123}; :"], {})
    os._exit(0)
time.sleep(100)'`;

/** Commands that write something, and would then run for ever. */
const COMMANDS: Record<string, string> = {
  'a sleep': 'echo before; sleep 100',
  'a busy loop': 'echo before; while :; do :; done',
  'a setsid double fork with a cleared environment': DOUBLE_FORK.replace('9.${MARK:-123}', '1000'),
  'a tree that ignores SIGTERM':
    'echo before; trap "" TERM INT HUP; (trap "" TERM; sleep 100 & sleep 100 & wait) & sh -c "trap \\"\\" TERM; sleep 100"',
  'children of an exited parent': 'echo before; (setsid sh -c "setsid sleep 100 & sleep 100" &) ; sleep 100',
  'a stopped process': 'echo before; sleep 100 & kill -STOP $!; wait',
  'a fork bomb': 'echo before; bomb() { bomb | bomb & }; bomb; sleep 100',
};

describe('A timeout', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED);
  });
  afterAll(() => cluster?.stop());

  /**
   * @returns the processes in the sandbox, without its own. A Docker host sees them, except those
   *   of gVisor.
   */
  async function processes(session: string, containerId: string): Promise<string[]> {
    const found =
      UNDER_GVISOR || TEST_CLUSTER !== null
        ? (await cluster.alice.run(session, 'ps -eo args --no-headers')).stdout.trim().split('\n')
        : ((await docker.getContainer(containerId).top({ ps_args: '-eo pid,args' })).Processes as string[][]).map((row) =>
            row.slice(1).join(' '),
          );
    return found.filter((args) => !/sleep 2147483647|^python3 -I -S -u -c |ps -eo args/.test(args));
  }

  // Under gVisor no limit on processes stops a fork bomb here.
  const names = Object.keys(COMMANDS).filter((name) => !(UNDER_GVISOR && name === 'a fork bomb'));
  it.each(names)('leaves no process when the command is %s', async (name) => {
    const session = `timeout ${name}`;
    // The background process of an earlier command has to stay alive.
    const { container_id } = await cluster.alice.run(session, 'sleep 7777 & echo ok');
    const result: Executed = await cluster.alice.run(session, COMMANDS[name]!, {
      timeout: 2,
      shell: name.includes('bomb') ? 'bash' : 'sh',
    });
    const left = await processes(session, container_id);
    expect(result).toMatchObject({ timed_out: true, exit_code: 124 });
    expect(result.stdout).toBe('before\n');
    expect(left).toEqual(['sleep 7777']);
    expect((await cluster.alice.run(session, 'echo next')).stdout).toBe('next\n');
    await cluster.alice.deleteSession(session);
  });
});
