/**
 * One rule of the list of system calls that a sandbox may make, in Docker's profile format. The
 * list is the same on every engine. It is Docker's default without what a sandbox does not need:
 *
 * - io_uring and Linux AIO, whose contexts count against a limit of the whole host;
 * - seccomp filters of its own, whose compiled code counts against such a limit too;
 * - ptrace and its relatives, file handles, and all but three socket families.
 *
 * userfaultfd, keyrings, bpf, perf, mounts, modules, swap, clocks, kexec and new namespaces are not
 * on it either, and no capability brings them back.
 */
interface SyscallRule {
  names: string[];
  action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: 'SCMP_CMP_EQ' | 'SCMP_CMP_NE' | 'SCMP_CMP_MASKED_EQ' }[];
  includes?: { arches: string[] };
}

const ENOSYS = 38;
const NO_ERROR = 0;

const PR_SET_SECCOMP = 22;
const RLIMIT_CORE = 4;

const PRIO_PROCESS = 0;
/** These change the project of a file, and whether new files get that of their directory. */
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_IOC_SETFLAGS = 0x40086602;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const NEW_NAMESPACES = 0x7e020000;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;

/** PER_LINUX and PER_LINUX32, each with and without UNAME26, and the query for the current one. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const words = (text: string): string[] => text.trim().split(/\s+/);

const FILES = words(`
  access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchdir
  fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync
  ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch lchown
  lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open openat
  openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename
  renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync_file_range syncfs tee truncate umask
  unlink unlinkat utime utimensat utimes vmsplice write writev`);

const MEMORY = words(`
  brk cachestat madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock munlockall
  munmap pkey_alloc pkey_free pkey_mprotect`);

const PROCESSES = words(`
  capget capset execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getpgid
  getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self pidfd_open pidfd_send_signal restart_syscall rseq
  sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
  sched_rr_get_interval sched_setaffinity sched_setparam sched_yield set_robust_list set_thread_area
  set_tid_address setfsgid setfsuid setgid setgroups setpgid setregid setresgid setresuid setreuid setsid setuid sysinfo
  times tgkill tkill uname vfork wait4 waitid`);

const SIGNALS_AND_TIME = words(`
  alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep pause rt_sigaction rt_sigpending rt_sigprocmask
  rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo setitimer sigaltstack signalfd signalfd4 time
  timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime`);

const WAITING_AND_IPC = words(`
  epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 futex futex_requeue futex_wait
  futex_waitv futex_wake getrandom mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd
  poll ppoll pselect6 select semctl semget semop semtimedop shmat shmctl shmdt shmget`);

const SOCKETS = words(`
  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmsg send sendmmsg sendmsg sendto
  setsockopt shutdown`);

function allow(names: string[], rule: Omit<SyscallRule, 'names' | 'action'> = {}): SyscallRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...rule };
}

const equals = (index: number, value: number) => ({ index, value, op: 'SCMP_CMP_EQ' as const });
const maskedEquals = (index: number, mask: number, value: number) => ({
  index,
  value: mask,
  valueTwo: value,
  op: 'SCMP_CMP_MASKED_EQ' as const,
});

const hasBit = (value: number, mask: number): boolean => Math.floor(value / mask) % 2 === 1;

/**
 * Allows a call with any value of one argument except this one, by a rule for each bit in which the
 * value may differ. The kernel uses 32 bits of the argument, but the filter sees 64. So "is not
 * equal" would let the value pass if a higher bit is set.
 */
function allowUnless(name: string, index: number, value: number): SyscallRule[] {
  return Array.from({ length: 32 }, (_, bit) => 2 ** bit).map((mask) =>
    allow([name], { args: [maskedEquals(index, mask, hasBit(value, mask) ? 0 : mask)] }),
  );
}

/** As `allowUnless`, for two values. A bit in which they differ says which of them to avoid. */
function allowUnlessEither(name: string, index: number, values: readonly [number, number]): SyscallRule[] {
  const masks = Array.from({ length: 32 }, (_, bit) => 2 ** bit);
  const apart = masks.find((mask) => hasBit(values[0], mask) !== hasBit(values[1], mask))!;
  return values.flatMap((value) =>
    masks
      .filter((mask) => mask !== apart)
      .map((mask) => {
        const wanted = (hasBit(value, apart) ? apart : 0) + (hasBit(value, mask) ? 0 : mask);
        return allow([name], { args: [maskedEquals(index, apart + mask, wanted)] });
      }),
  );
}

/** Pids are below 2 ** 22 (proc(5), pid_max). */
const PID_BITS = 22;

/**
 * Allows a call for each process but PID 1, which must not be slowed down: it may watch the disk.
 * @param index of the argument that is the pid; 0 is the caller itself
 */
function allowButForInit(name: string, index: number, more: NonNullable<SyscallRule['args']> = []): SyscallRule[] {
  return Array.from({ length: PID_BITS }, (_, bit) =>
    allow([name], { args: [...more, maskedEquals(index, 2 ** bit, bit === 0 ? 0 : 2 ** bit)] }),
  );
}

const isCore = (index: number) => maskedEquals(index, 0xffffffff, RLIMIT_CORE);

/** Answers success without doing anything. */
function pretend(name: string, args?: SyscallRule['args']): SyscallRule {
  return { names: [name], action: 'SCMP_ACT_ERRNO', errnoRet: NO_ERROR, ...(args && { args }) };
}

const SYSCALLS: SyscallRule[] = [
  allow([...FILES, ...MEMORY, ...PROCESSES, ...SIGNALS_AND_TIME, ...WAITING_AND_IPC, ...SOCKETS]),
  allow(words('arch_prctl'), { includes: { arches: ['amd64'] } }),
  ...[AF_UNIX, AF_INET, AF_INET6].map((family) => allow(['socket'], { args: [equals(0, family)] })),
  allow(['socketpair'], { args: [equals(0, AF_UNIX)] }),
  // The C library lists network addresses over this socket.
  allow(['socket'], { args: [equals(0, AF_NETLINK), equals(2, NETLINK_ROUTE)] }),
  ...PERSONALITIES.map((persona) => allow(['personality'], { args: [equals(0, persona)] })),
  allow(['clone'], { args: [maskedEquals(0, NEW_NAMESPACES, 0)] }),
  // Its flags lie in memory, which a filter cannot read. ENOSYS makes the C library fall back to
  // clone.
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
  ...allowUnless('prctl', 0, PR_SET_SECCOMP),
  // A project quota may bound the workspace, and the owner of a file could take it out of that.
  ...allowUnlessEither('ioctl', 1, [FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS]),
  // For process groups and users too, PID 1 could be among them.
  ...allowButForInit('setpriority', 1, [equals(0, PRIO_PROCESS)]),
  ...allowButForInit('sched_setscheduler', 0),
  ...allowButForInit('sched_setattr', 0),
  // The limit on core files keeps the kernel from starting the host's crash handler, so it must not
  // change (container-spec.ts). Some programs, such as gpg, give up if they cannot lower it. They
  // are told that they did.
  ...allowUnless('setrlimit', 0, RLIMIT_CORE),
  pretend('setrlimit', [isCore(0)]),
  ...allowUnless('prlimit64', 1, RLIMIT_CORE),
  allow(['prlimit64'], { args: [isCore(1), equals(2, 0)] }),
  pretend('prlimit64', [isCore(1), { index: 2, value: 0, op: 'SCMP_CMP_NE' }]),
  // A real sync would write out the data of the whole host.
  pretend('sync'),
];

export const SECCOMP_PROFILE = {
  // EPERM. For system calls newer than every call named here, the OCI runtime answers ENOSYS.
  defaultAction: 'SCMP_ACT_ERRNO',
  // No 32-bit calls: a process that makes one ends by SIGSYS. Their `socketcall` has its arguments
  // in memory, where a filter cannot see the socket family.
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: [] },
  ],
  syscalls: SYSCALLS,
} as const;
