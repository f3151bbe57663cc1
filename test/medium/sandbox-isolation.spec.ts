import { execFileSync } from 'node:child_process';
import { createDockerRuntime } from '@sandbox/orchestrator';
import type { ContainerInspectInfo } from 'dockerode';
import { removeDeployment, run, sh, testConfig, testEngine, testOwner } from '../support/adapters/docker';
import { TEST_CHANNEL, UNDER_GVISOR, itOnHostKernel } from '../support/engine-under-test';

jest.setTimeout(120_000);

const engine = testEngine();
const config = testConfig();
const runtime = createDockerRuntime(config);
const owner = testOwner();
let id: string;
let inspected: ContainerInspectInfo;

beforeAll(async () => {
  ({ id } = await runtime.ensureSandbox(owner));
  inspected = await engine.getContainer(id).inspect();
});
afterAll(() => removeDeployment(engine, config));

const inside = (script: string) => sh(runtime, id, script);
const python = (script: string) => run(runtime, id, ['python3', '-c', script]);

describe('docker inspect', () => {
  it('shows the user, the environment and no terminal', async () => {
    expect(inspected.Config).toMatchObject({ User: '1000:1000', WorkingDir: '/workspace', Tty: false, Hostname: 'sandbox' });
    expect(inspected.Config.Env).toEqual(expect.arrayContaining(['HOME=/workspace', 'LANG=C.UTF-8', 'PYTHONUNBUFFERED=1']));
    expect((await inside('echo "$HOME $LANG $PATH"; pwd')).stdout).toMatch(/^\/workspace C.UTF-8 .*:\/usr\/bin:.*\n\/workspace\n$/);
  });

  it('shows no way out of the sandbox', () => {
    expect(inspected.HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      Privileged: false,
      NetworkMode: 'none',
      IpcMode: 'private',
      PidMode: '',
      UTSMode: '',
    });
    expect(inspected.HostConfig.CapDrop).toEqual(['ALL']);
    expect(inspected.HostConfig.CapAdd).toBeNull();
    expect(inspected.HostConfig.Binds).toBeNull();
    expect(inspected.HostConfig.Devices ?? []).toEqual([]);
    expect(inspected.HostConfig.SecurityOpt).toEqual(['no-new-privileges:true', expect.stringMatching(/^seccomp=\{/)]);
    const socket = expect.objectContaining({ Type: 'bind', Destination: '/run/sandbox', RW: false, Propagation: 'rprivate' });
    expect(inspected.Mounts).toEqual(TEST_CHANNEL === 'direct' ? [socket] : []);
  });

  it('shows no part of the engine’s network library when the image does not need it', () => {
    expect(inspected.NetworkSettings.Networks).toEqual({});
  });

  it('shows the limits', () => {
    expect(inspected.HostConfig).toMatchObject({
      Memory: 256 * 1024 ** 2,
      MemorySwap: 256 * 1024 ** 2,
      CpuPeriod: 100_000,
      CpuShares: 128,
      CpuQuota: 50_000,
      PidsLimit: 128,
      ShmSize: 16 * 1024 ** 2,
      OomScoreAdj: 500,
    });
    expect(inspected.HostConfig.Ulimits).toEqual([
      { Name: 'nofile', Soft: 1024, Hard: 4096 },
      { Name: 'core', Soft: 1, Hard: 1 },
    ]);
  });

  it('shows no log and no restart', () => {
    expect(inspected.HostConfig.LogConfig).toEqual({ Type: 'none', Config: {} });
    expect(inspected.HostConfig.RestartPolicy).toMatchObject({ Name: 'no' });
    expect(inspected.HostConfig.AutoRemove).toBe(false);
  });

  it('shows the labels of the deployment', () => {
    expect(inspected.Config.Labels).toMatchObject({
      'sandbox-api.deployment': config.DEPLOYMENT,
      'sandbox-api.kind': 'session',
      'sandbox-api.session': owner.key,
      'sandbox-api.user': owner.userKey,
      'sandbox-api.spec': expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });
});

describe('a process in a sandbox', () => {
  it('is uid 1000 without capabilities', async () => {
    const { stdout } = await inside("id -u; id -g; id -G; awk '/^Cap(Inh|Prm|Eff|Bnd)/ {print $1 $2}' /proc/self/status");
    const none = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd'].map((set) => `${set}:0000000000000000`);
    expect(stdout.trim().split('\n')).toEqual(['1000', '1000', '1000', ...none]);
  });

  itOnHostKernel('cannot gain capabilities, and is under a seccomp filter', async () => {
    const { stdout } = await inside("awk '/^(CapAmb|NoNewPrivs|Seccomp:)/ {print $1 $2}' /proc/self/status");
    expect(stdout).toBe('CapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n');
  });

  it('has a loopback and no other network', async () => {
    const script = `
import socket, threading
print([name for _, name in socket.if_nameindex()], socket.gethostbyname('localhost'))
server = socket.create_server(('127.0.0.1', 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b'loop'), daemon=True).start()
print(socket.create_connection(server.getsockname()).recv(9).decode())
for address in (('1.1.1.1', 53), ('172.17.0.1', 2375), ('169.254.169.254', 80)):
    try: socket.create_connection(address, 3); print('reached', address)
    except OSError as error: print(error.errno)`;
    expect((await python(script)).stdout).toMatch(/^\['lo'\] 127\.0\.0\.1\nloop\n((101|113)\n){3}$/);
  });

  it.each(['/etc/x', '/usr/bin/x', '/x', '/root/x', '/var/tmp/x', '/proc/sys/kernel/hostname', '/sys/fs/cgroup/x', '/dev/x'])(
    'cannot write %s',
    async (path) => {
      expect((await inside(`echo x > ${path}`)).exitCode).not.toBe(0);
    },
  );

  it('can write /tmp, /workspace and /dev/shm, and run programs there', async () => {
    const script = 'for d in /tmp /dev/shm /workspace; do printf "#!/bin/sh\\necho ran in $d\\n" > $d/p; chmod +x $d/p; $d/p; done';
    expect((await inside(script)).stdout).toBe('ran in /tmp\nran in /dev/shm\nran in /workspace\n');
  });

  it('has mounts with the options and sizes configured', async () => {
    const { stdout } = await inside(
      "awk '$2 ~ /^\\/(tmp|workspace|dev\\/shm)$/ {print $2, $3, $4}' /proc/mounts; stat -c '%n %u:%g %a' /tmp /workspace",
    );
    const lines = stdout.trim().split('\n').sort();
    if (UNDER_GVISOR) {
      const [shm, tmp] = [16, 64].map((mib) => `tmpfs rw,mode=1777,size=${mib * 1024 ** 2}`);
      const workspace = '/workspace tmpfs rw,uid=1000,gid=1000,mode=0700,size=134217728';
      expect(lines).toEqual([`/dev/shm ${shm}`, '/tmp 0:0 1777', `/tmp ${tmp}`, '/workspace 1000:1000 700', workspace]);
      return;
    }
    expect(lines).toEqual([
      expect.stringMatching(/^\/dev\/shm tmpfs rw,nosuid,nodev,relatime,.*size=16384k/),
      '/tmp 0:0 1777',
      expect.stringMatching(/^\/tmp tmpfs rw,nosuid,nodev,relatime,.*size=65536k,nr_inodes=16384/),
      '/workspace 1000:1000 700',
      expect.stringMatching(/^\/workspace tmpfs rw,nosuid,nodev,relatime,size=131072k,nr_inodes=100663,mode=700,uid=1000,gid=1000/),
    ]);
  });

  it('sees no device of the host, and can make none that opens', async () => {
    const script =
      'ls /dev; for n in c,1,1 b,8,0; do mknod /workspace/dev-$n $(echo $n | tr , " "); head -c 1 /workspace/dev-$n && echo opened; done 2>/dev/null; true';
    const { stdout } = await inside(script);
    expect(stdout).not.toMatch(/opened|^(sd|vd|nvme|mem|kmsg|kvm|docker)/m);
    // gVisor has a FUSE device of its own.
    if (!UNDER_GVISOR) expect(stdout).not.toMatch(/^fuse/m);
  });

  it('sees neither the engine’s socket nor anything of the host', async () => {
    const { stdout } = await inside(
      'ls /var/run/docker.sock /run/docker.sock 2>/dev/null; cat /proc/1/comm; cut -d: -f3 /proc/self/cgroup | sort -u',
    );
    expect(stdout).toMatch(/^sh\n\/[0-9a-f]{0,64}\n$/);
  });

  it('gains nothing from a set-uid program', async () => {
    const { stdout } = await inside(
      'find / -xdev -perm -4000 -user root -type f 2>/dev/null | head -1; cp /usr/bin/id /workspace/id; chmod u+s /workspace/id; /workspace/id -u; su -c id 2>&1',
    );
    expect(stdout).toContain('1000');
    expect(stdout).not.toContain('uid=0');
  });
});

describe('a system call', () => {
  /**
   * Makes a system call with harmless arguments. A call that passes the filter succeeds, or fails
   * with an errno other than EPERM.
   */
  const CALL = `
import ctypes, errno, platform, sys
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == 'x86_64'
def call(x86, arm, *args):
    ctypes.set_errno(0)
    result = libc.syscall(x86 if X86 else arm, *args)
    return errno.errorcode.get(ctypes.get_errno()) if result == -1 else 'ok'
`;
  const call = async (x86: number, arm: number, args: string) =>
    (await python(`${CALL}\nprint(call(${x86}, ${arm}, ${args}))`)).stdout.trim();

  itOnHostKernel.each([
    ['io_uring_setup', 425, 425, '1, ctypes.create_string_buffer(120)'],
    ['userfaultfd', 323, 282, '1'],
    ['add_key', 248, 217, "b'user', b'x', b'y', 1, -3"],
    ['request_key', 249, 218, "b'user', b'x', None, -3"],
    ['keyctl', 250, 219, '0, -3, 0'],
    ['bpf', 321, 280, '0, ctypes.create_string_buffer(72), 72'],
    ['perf_event_open', 298, 241, 'ctypes.create_string_buffer(112), 0, -1, -1, 0'],
    ['ptrace', 101, 117, '0, 0, 0, 0'],
    ['process_vm_readv', 310, 270, '1, None, 0, None, 0, 0'],
    ['unshare of a user name space', 272, 97, '0x10000000'],
    ['setns', 308, 268, '0, 0'],
    ['clone with a new user name space', 56, 220, '0x10000011, None, None, None, None'],
    ['mount', 165, 40, "b'x', b'/tmp', b'tmpfs', 0, None"],
    ['open_by_handle_at', 304, 265, '0, None, 0'],
    ['a socket of AF_ALG', 41, 198, '38, 5, 0'],
    ['a socket of AF_VSOCK', 41, 198, '40, 1, 0'],
    ['a socket of AF_PACKET', 41, 198, '17, 3, 0'],
    ['a netlink socket of netfilter', 41, 198, '16, 3, 12'],
    ['personality without address randomization', 135, 92, '0x40000'],
    ['syslog', 103, 116, '10, None, 0'],
    ['prctl(PR_SET_SECCOMP)', 157, 167, '22, 2, None, 0, 0'],
    ['prctl(PR_SET_SECCOMP) with a bit that the kernel does not look at', 157, 167, 'ctypes.c_ulong(0x100000016), 2, None, 0, 0'],
    ['seccomp', 317, 277, '3, 0, None'],
    ['a lower priority for PID 1', 141, 140, '0, 1, 19'],
    ['a lower priority for PID 1, with a bit that the kernel does not look at', 141, 140, '0, ctypes.c_ulong(0x100000001), 19'],
    ['a lower priority for all processes of a user', 141, 140, '2, 0, 19'],
    ['the idle policy for PID 1', 144, 119, '1, 5, (ctypes.c_int * 1)(0)'],
    ['another project for a file', 16, 29, '0, 0x401c5820, ctypes.create_string_buffer(28)'],
    ['other flags for a file', 16, 29, '0, 0x40086602, ctypes.create_string_buffer(8)'],
  ])('is denied when it is %s', async (_, x86, arm, args) => {
    expect(await call(x86, arm, args)).toBe('EPERM');
  });

  itOnHostKernel('is absent when it is clone3, so that the C library falls back to clone', async () => {
    expect(await call(435, 435, 'None, 0')).toBe('ENOSYS');
  });

  itOnHostKernel.each([
    ['getpid', 39, 172, '0'],
    ['memfd_create', 319, 279, "b'x', 0"],
    ['pidfd_open', 434, 434, '__import__("os").getpid(), 0'],
    ['prctl(PR_SET_CHILD_SUBREAPER)', 157, 167, '36, 1, 0, 0, 0'],
    ['prctl(PR_SET_DUMPABLE)', 157, 167, '4, 0, 0, 0, 0'],
    ['prctl(PR_GET_SECCOMP)', 157, 167, '21, 0, 0, 0, 0'],
    ['prlimit64 of open files', 302, 261, '0, 7, (ctypes.c_ulong * 2)(512, 512), None'],
    ['the question for the limit of core files', 302, 261, '0, 4, None, (ctypes.c_ulong * 2)()'],
    ['the question for the personality', 135, 92, 'ctypes.c_ulong(0xffffffff)'],
    ['a socket of AF_UNIX', 41, 198, '1, 1, 0'],
    ['a routing netlink socket', 41, 198, '16, 3, 0'],
    ['a lower priority for the process itself', 141, 140, '0, 0, 19'],
    ['the idle policy for the process itself', 144, 119, '0, 5, (ctypes.c_int * 1)(0)'],
  ])('is allowed when it is %s', async (_, x86, arm, args) => {
    expect(await call(x86, arm, args)).toBe('ok');
  });

  itOnHostKernel('ends the process when it is of 32 bits, by which sockets of any family could be had', async () => {
    const script = `
import ctypes, mmap, os, platform
if platform.machine() != 'x86_64': raise SystemExit(print(31))
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex('b814000000cd80c3'))  # mov eax, 20 (getpid); int 0x80; ret
getpid = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
child = os.fork()
if child == 0: os._exit(getpid() * 0)
print(os.waitpid(child, 0)[1] & 0x7f)`;
    // A kernel without 32-bit emulation ends any process that tries; otherwise seccomp does
    // (SIGSYS).
    const onHost = execFileSync('python3', ['-c', script], { encoding: 'utf8' });
    expect(['0\n', '11\n', '31\n']).toContain(onHost);
    expect((await python(script)).stdout).toBe(onHost === '11\n' ? '11\n' : '31\n');
  });

  itOnHostKernel('cannot change the limit that keeps crashes from the host’s handler', async () => {
    const script = `${CALL}
import resource
print(resource.getrlimit(resource.RLIMIT_CORE))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
zeros = (ctypes.c_ulong * 2)(0, 0)
print(call(160, 164, 4, zeros), call(160, 164, ctypes.c_ulong(0x100000004), zeros), call(302, 261, 0, ctypes.c_ulong(0x100000004), zeros, None))
print(resource.getrlimit(resource.RLIMIT_CORE))`;
    expect((await python(script)).stdout).toBe('(1, 1)\nok ok ok\n(1, 1)\n');
    expect((await inside('sync; kill -SEGV $$')).exitCode).toBe(139);
  });

  it('is allowed when a common program makes it', async () => {
    const script = `
set -e
bash -c 'echo bash <(echo x) | cut -c1-4'
ps -e > /dev/null; top -bn1 > /dev/null
mkfifo /tmp/fifo
cd /workspace; git init -q repo; cd repo; git -c user.name=n -c user.email=e commit -q --allow-empty -m m; git log --oneline | wc -l
python3 - <<'END'
import asyncio, concurrent.futures, mmap, multiprocessing, os, socket, subprocess, threading
with concurrent.futures.ThreadPoolExecutor(8) as pool: assert sum(pool.map(len, ['x'] * 100)) == 100
lock = multiprocessing.Lock()
process = multiprocessing.Process(target=lock.acquire); process.start(); process.join(); assert process.exitcode == 0
assert subprocess.run(['true'], start_new_session=True).returncode == 0
assert asyncio.run(asyncio.wait_for(asyncio.sleep(0, 1), 1)) == 1
mmap.mmap(-1, 4096)[:1]; os.urandom(1); socket.if_nameindex(); os.sched_getaffinity(0)
print('python')
END`;
    expect(await inside(script)).toMatchObject({ stdout: 'bash\n1\npython\n', exitCode: 0 });
  });
});

describe('a sandbox', () => {
  const EMPTY_FILES = `
import os
for d in ('/tmp', '/workspace', '/dev/shm'):
    try:
        for n in range(10**6): os.close(os.open(f'{d}/empty-{n}', os.O_CREAT | os.O_WRONLY))
    except OSError as error: print(error.errno)`;

  it.each<[string, string[]]>([
    ['bytes', ['sh', '-c', 'for d in /tmp /workspace /dev/shm; do head -c 300000000 /dev/zero > $d/big || echo 28; done']],
    ...(UNDER_GVISOR ? [] : [['empty files', ['python3', '-c', EMPTY_FILES]] as [string, string[]]]),
  ])('runs programs as before when its file systems are full of %s', async (_, argv) => {
    const full = testOwner();
    const sandbox = await runtime.ensureSandbox(full);
    expect((await run(runtime, sandbox.id, argv)).stdout).toBe('28\n28\n28\n');
    expect(await run(runtime, sandbox.id, ['python3', '-c', 'print(len(bytearray(10**7)))'])).toMatchObject({
      stdout: '10000000\n',
      exitCode: 0,
    });
    expect(await runtime.ensureSandbox(full)).toMatchObject({ id: sandbox.id, created: false });
    await runtime.removeSandbox(full.key);
  });
});

describe('PID 1', () => {
  const survivor = testOwner();
  let sandbox: string;
  beforeAll(async () => {
    ({ id: sandbox } = await runtime.ensureSandbox(survivor));
    await sh(runtime, sandbox, 'echo kept > /workspace/file');
  });

  async function expectSurvival(argv: string[]): Promise<void> {
    await run(runtime, sandbox, argv);
    expect(await runtime.ensureSandbox(survivor)).toMatchObject({ id: sandbox, created: false });
    expect((await sh(runtime, sandbox, 'cat /workspace/file')).stdout).toBe('kept\n');
  }

  const STORM = `
import os, signal, time
end = time.time() + 5
def fork():
    if os.fork() == 0: time.sleep(max(0, end - time.time())); os._exit(0)
def signal_all():
    for number in signal.valid_signals(): os.kill(1, number)
for action in (signal_all, signal_all, fork, fork):
    if os.fork() == 0:
        while time.time() < end:
            try: action()
            except OSError: pass
        os._exit(0)
while time.time() < end:
    for child in open('/proc/1/task/1/children').read().split():
        try:
            if b'sleep' in open(f'/proc/{child}/cmdline', 'rb').read(): os.kill(int(child), 9)
        except OSError: pass
# What is left ends by itself, if PID 1 collects it.
while time.time() < end + 30 and sum(name.isdigit() for name in os.listdir('/proc')) > 10: time.sleep(0.1)`;

  it.each([
    ['kill 1', ['sh', '-c', 'for s in TERM INT HUP QUIT USR1 CHLD ALRM PIPE SEGV; do kill -$s 1; sleep 0.05; done']],
    ['pkill sleep', ['sh', '-c', 'for i in 1 2 3 4 5; do pkill -9 sleep; sleep 0.1; done']],
    ['kill -STOP 1', ['sh', '-c', 'kill -STOP 1; kill -STOP $(cat /proc/1/task/1/children)']],
    ['SIGINT without end', ['python3', '-c', 'import os, time\nend = time.time() + 3\nwhile time.time() < end: os.kill(1, 2)']],
  ])('outlives %s, and so do the files', async (_, argv) => {
    await expectSurvival(argv);
  });

  itOnHostKernel.each([
    ['kill -9 -1', ['sh', '-c', 'kill -9 -1']],
    ['kill -KILL 1', ['sh', '-c', 'kill -KILL 1; sleep 0.2']],
    ['a fork bomb and a storm of signals that kill what it starts', ['python3', '-c', STORM]],
  ])('outlives %s, and so do the files', async (_, argv) => {
    await expectSurvival(argv);
  });

  itOnHostKernel('reaps orphans when they use up the process limit and its sleep is gone', async () => {
    const small = testConfig({ CONTAINER_PIDS_LIMIT: '24' });
    const narrow = createDockerRuntime(small);
    const script = `
import os, time
def fork(work):
    try:
        if os.fork() == 0: work(); os._exit(0)
    except OSError: return
def pids(): return {int(name) for name in os.listdir('/proc') if name.isdigit()} - {1, os.getpid()}
def sleeping():
    for pid in pids():
        try:
            if open(f'/proc/{pid}/cmdline', 'rb').read().startswith(b'sleep'): yield pid
        except OSError: pass
quiet, end = 0, time.time() + 30
while quiet < 200 and time.time() < end:
    # An orphan, then a child of our own: dead, both keep their places for as long as nobody waits for them.
    fork(lambda: fork(lambda: time.sleep(60)))
    fork(lambda: time.sleep(60))
    killed = [os.kill(pid, 9) for pid in sleeping()]
    quiet = 0 if killed else quiet + 1
print('full', quiet == 200)
for pid in pids():
    try: os.kill(pid, 9)
    except OSError: pass
end = time.time() + 20
while not list(sleeping()) and time.time() < end: time.sleep(0.1)
print('waits again', bool(list(sleeping())))`;
    try {
      const { id: full } = await narrow.ensureSandbox(testOwner());
      expect((await run(narrow, full, ['python3', '-c', script])).stdout).toBe('full True\nwaits again True\n');
    } finally {
      await removeDeployment(engine, small);
    }
  });

  it('reaps orphans when their parent has ended', async () => {
    const script = `
import os, time
ready, done = os.pipe()
if os.fork() == 0:
    for _ in range(20):
        if os.fork() == 0: time.sleep(0.1); os._exit(0)
    os._exit(0)
os.wait(); time.sleep(1)
states = [open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] for pid in os.listdir('/proc') if pid.isdigit()]
print(states.count('Z'))`;
    const { id: fresh } = await runtime.ensureSandbox(testOwner());
    expect((await run(runtime, fresh, ['python3', '-c', script])).stdout).toBe('0\n');
  });
});

it('the engine gives a container an /etc/hosts when its image does not say that it resolves localhost', async () => {
  const other = `${config.DEPLOYMENT}:latest`;
  const container = engine.getContainer(id);
  await container.commit({ repo: config.DEPLOYMENT, changes: 'LABEL sandbox-api.resolves-localhost=no' });
  try {
    const made = await runtime.ensureSandbox(testOwner(), { image: other });
    expect((await engine.getContainer(made.id).inspect()).HostConfig.NetworkMode).toBe('none');
    const { stdout } = await sh(runtime, made.id, `awk '/127.0.0.1/ {print $2}' /etc/hosts; awk 'NR > 2 {print $1}' /proc/net/dev`);
    expect(stdout).toBe('localhost\nlo:\n');
  } finally {
    await removeDeployment(engine, config);
    await engine.getImage(other).remove({ force: true });
  }
});
