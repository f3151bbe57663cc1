import { SECCOMP_PROFILE } from './seccomp-profile';

const { syscalls } = SECCOMP_PROFILE;
const allowed = syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW');
const unconditional = new Set(allowed.filter(({ args }) => args === undefined).flatMap(({ names }) => names));

describe('SECCOMP_PROFILE', () => {
  it('refuses a system call when it does not name it', () => expect(SECCOMP_PROFILE.defaultAction).toBe('SCMP_ACT_ERRNO'));

  it.each(['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'])('knows %s', (architecture) => {
    expect(SECCOMP_PROFILE.archMap).toContainEqual(expect.objectContaining({ architecture }));
  });

  it.each(
    `io_uring_setup io_uring_enter io_uring_register userfaultfd keyctl add_key request_key bpf perf_event_open mount umount2 move_mount
    open_tree fsopen fsmount fsconfig fspick mount_setattr pivot_root chroot ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp unshare setns
    kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff quotactl quotactl_fd open_by_handle_at
    fanotify_init lookup_dcookie syslog acct settimeofday stime clock_settime clock_settime64 clock_adjtime adjtimex sethostname iopl ioperm
    modify_ldt socketcall vhangup nfsservctl uselib ustat sysfs _sysctl clone3`.split(/\s+/),
  )('does not allow %s', (name) => {
    expect(allowed.flatMap(({ names }) => names)).not.toContain(name);
  });

  it.each(['clone', 'socket', 'socketpair', 'personality', 'ioctl', 'setpriority', 'sched_setscheduler', 'sched_setattr'])(
    'allows %s only with certain arguments',
    (name) => {
      expect(unconditional.has(name)).toBe(false);
      expect(allowed.filter(({ names }) => names.includes(name)).every(({ args }) => args!.length > 0)).toBe(true);
    },
  );

  const TCGETS = 0x5401;
  const FS_IOC_GETFLAGS = 0x80086601;
  const [FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS] = [0x401c5820, 0x40086602];
  const higher = 2 ** 32;

  it.each<[string, number[], boolean]>([
    ['ioctl', [0, TCGETS], true],
    ['ioctl', [0, FS_IOC_GETFLAGS], true],
    ['ioctl', [0, 0], true],
    ['ioctl', [0, 0xffffffff], true],
    ['ioctl', [0, FS_IOC_SETFLAGS], false],
    ['ioctl', [0, FS_IOC_FSSETXATTR], false],
    ['ioctl', [0, FS_IOC_SETFLAGS + higher], false],
    ['ioctl', [0, FS_IOC_FSSETXATTR + higher], false],
    ['setpriority', [0, 0], true],
    ['setpriority', [0, 2], true],
    ['setpriority', [0, 4_194_303], true],
    ['setpriority', [0, 1], false],
    ['setpriority', [0, 1 + higher], false],
    ['setpriority', [1, 0], false],
    ['setpriority', [2, 0], false],
    ['sched_setscheduler', [0], true],
    ['sched_setscheduler', [7], true],
    ['sched_setscheduler', [1], false],
    ['sched_setattr', [1 + higher], false],
  ])('%s with %j: %s', (name, given, passes) => {
    const bits = (value: number, mask: number): bigint => BigInt(value) & BigInt(mask);
    const holds = ({ index, op, value, valueTwo = 0 }: NonNullable<(typeof allowed)[number]['args']>[number]): boolean =>
      op === 'SCMP_CMP_MASKED_EQ' ? bits(given[index]!, value) === BigInt(valueTwo) : given[index] === value;
    expect(allowed.some((rule) => rule.names.includes(name) && rule.args!.every(holds))).toBe(passes);
  });

  it('names each system call without a condition at most once', () => {
    const names = allowed.filter(({ args }) => args === undefined).flatMap((rule) => rule.names);
    expect(names).toHaveLength(unconditional.size);
  });
});
