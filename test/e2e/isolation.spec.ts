import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, ONE_PROCESS } from '../support/service/cluster';
import { UNDER_GVISOR, itOnHostKernel } from '../support/engine-under-test';

jest.setTimeout(240_000);

/**
 * Tests what a sandbox can do to the host, to others and to itself. A spec beside the runtime tests
 * the container's settings.
 */
describe('A command in a sandbox', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(ONE_PROCESS);
  });
  afterAll(() => cluster?.stop());

  const run = (command: string, more: object = {}) => cluster.alice.run('isolation', command, more);

  it('reaches no network', async () => {
    const probe = `python3 -c '
import socket
for address in (("8.8.8.8", 53), ("172.17.0.1", 80), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, 2); print("reached", address)
    except OSError as error:
        print(error.errno)'`;
    expect((await run(probe)).stdout).toMatch(/^((101|113)\n){3}$/);
    expect((await run("awk 'NR>2 {print $1}' /proc/net/dev")).stdout).toBe('lo:\n');
  });

  it('writes nowhere but in /workspace, /tmp and /dev/shm', async () => {
    const { stdout } = await run(
      'find / -xdev -type d -writable 2>/dev/null | sort; for d in /etc /usr /var /root /; do touch $d/x 2>/dev/null && echo wrote $d; done; true',
    );
    expect(stdout).toBe('/tmp\n/workspace\n');
    expect((await run('touch /workspace/x /tmp/x /dev/shm/x && echo ok; cp /bin/true /tmp/t; cd /tmp; ./t; echo $?')).stdout).toBe(
      'ok\n0\n',
    );
  });

  it('is an unprivileged user and can become no other', async () => {
    expect((await run('id -u; id -g; grep -E "^(CapEff|CapBnd):" /proc/self/status')).stdout).toBe(
      '1000\n1000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n',
    );
    if (!UNDER_GVISOR) {
      expect((await run('grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status')).stdout).toBe('NoNewPrivs:\t1\nSeccomp:\t2\n');
    }
    expect(
      (await run('cp /bin/sh s && chmod 4755 s && ./s -c "id -u"; mknod n c 1 1 2>/dev/null; head -c 1 n 2>/dev/null || echo refused'))
        .stdout,
    ).toBe('1000\nrefused\n');
  });

  it('sees no process but its own', async () => {
    const { stdout } = await run("ps -eo user:20,args --no-headers | awk '{print $1}' | sort -u");
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(Number((await run('ls -d /proc/[0-9]* | wc -l')).stdout)).toBeLessThan(15);
  });

  itOnHostKernel('can open nothing of the agent that runs it', async () => {
    const { stdout, stderr } = await run(
      'for pid in $PPID $(pgrep -f "^python3 -I -S -u -c"); do cat /proc/$pid/environ /proc/$pid/mem; ls /proc/$pid/fd; done',
    );
    expect(stdout).toBe('');
    expect(stderr.match(/Permission denied/g)!.length).toBeGreaterThanOrEqual(9);
    expect(
      stderr
        .trim()
        .split('\n')
        .filter((line) => !line.endsWith('Permission denied')),
    ).toEqual([]);
  });

  it('keeps session and files when it runs kill -9 -1, kill 1 or pkill', async () => {
    await run('echo kept > file');
    const { container_id } = await run('true');
    const killers = UNDER_GVISOR ? [] : ['kill -9 1; true', 'pkill -9 sh; true', 'kill -9 -1'];
    for (const command of [...killers, 'kill -TERM 1; kill -STOP 1; true', 'pkill sleep; pkill sh; true']) {
      await cluster.alice.execute('isolation', command, { timeout: 5 });
      expect({ command, ...(await run('cat file')) }).toMatchObject({ command, stdout: 'kept\n', container_id, session_restarted: false });
    }
  });

  (UNDER_GVISOR ? it : it.skip)(
    'is told that its sandbox is lost, and the next one starts again, when it kills PID 1 under gVisor',
    async () => {
      await run('true');
      expect((await cluster.alice.execute('isolation', 'kill -9 1; sleep 60')).body.code).toBe('SANDBOX_LOST');
      expect(await run('echo anew')).toMatchObject({ stdout: 'anew\n', session_restarted: true });
    },
  );

  describe('beside a sandbox of another user,', () => {
    let served: { calls: number; failures: string[]; stop: () => Promise<void> };

    beforeEach(async () => {
      await cluster.bob.run('neighbour', 'true');
      let going = true;
      const failures: string[] = [];
      const result = { calls: 0, failures, stop: async () => undefined as void };
      const loop = (async () => {
        while (going) {
          const answer = await cluster.bob.execute('neighbour', 'echo served', { timeout: 10 });
          result.calls += 1;
          if (answer.body.stdout !== 'served\n') failures.push(JSON.stringify(answer.body));
          await sleep(50);
        }
      })();
      result.stop = async () => {
        going = false;
        await loop;
      };
      served = result;
    });

    afterEach(async () => {
      await served.stop();
      expect(served.failures).toEqual([]);
      expect(served.calls).toBeGreaterThan(5);
    });

    const next = async (session: string): Promise<void> => {
      expect(await cluster.alice.run(session, 'echo next')).toMatchObject({ stdout: 'next\n', exit_code: 0 });
    };

    itOnHostKernel('leaves both sandboxes answering, and its files kept, when memory is used up', async () => {
      await cluster.alice.run('memory', 'echo kept > file');
      const { exit_code } = await cluster.alice.run('memory', "python3 -c 'x = bytearray(512 << 20); print(len(x))'");
      expect(exit_code).not.toBe(0);
      await next('memory');
      expect((await cluster.alice.run('memory', 'cat file')).stdout).toBe('kept\n');
    });

    itOnHostKernel('leaves both sandboxes answering, and its files kept, when processes are used up', async () => {
      await cluster.alice.run('processes', 'echo kept > file');
      const bomb = await cluster.alice.run('processes', 'bomb() { bomb | bomb & }; bomb; sleep 60', { shell: 'bash', timeout: 3 });
      expect(bomb.timed_out).toBe(true);
      await next('processes');
      // A command that ended left these in the background. They may fill the limit, and the
      // session's commands still answer.
      await cluster.alice.run('processes', 'for i in $(seq 1 60); do sleep 500 & done');
      await next('processes');
      expect((await cluster.alice.run('processes', 'cat file')).stdout).toBe('kept\n');
    });

    it('leaves both sandboxes answering when the disk is full', async () => {
      const { stdout } = await cluster.alice.run(
        'disk',
        'cat /dev/zero > fill 2>/dev/null; cat /dev/zero > /tmp/fill 2>/dev/null; cat /dev/zero > /dev/shm/fill 2>/dev/null; echo full',
        {
          timeout: 60,
        },
      );
      expect(stdout).toBe('full\n');
      await next('disk');
    });

    itOnHostKernel('leaves both sandboxes answering when inodes are used up', async () => {
      await cluster.alice.run('inodes', 'python3 -c \'i = 0\nwhile i < 1000000:\n    open(str(i), "w").close(); i += 1\'', { timeout: 60 });
      await next('inodes');
      expect((await cluster.alice.run('inodes', 'echo x > /tmp/ok && cat /tmp/ok')).stdout).toBe('x\n');
    });
  });
});
