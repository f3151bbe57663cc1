/**
 * The system calls a sandbox may make, in Docker's profile format: an allowlist, the same on every engine. It is Docker's default
 * less what a sandbox has no use for: io_uring and Linux AIO (whose contexts are counted over the whole host), ptrace and its
 * relatives, file handles, and all but three socket families. userfaultfd, keyrings, bpf, perf, mounts, modules, swap, clocks,
 * kexec and new namespaces are absent, and no capability brings them back.
 */
interface SyscallRule {
  names: string[];
  action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ' }[];
  includes?: { arches: string[] };
}

const ENOSYS = 38;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const NEW_NAMESPACES = 0x7e020000;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;

/** PER_LINUX, PER_LINUX32, with and without UNAME26, and the question which one is set. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const words = (text: string): string[] => text.trim().split(/\s+/);

const FILES = words(`
  access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64
  fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr
  fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr
  inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr
  lremovexattr lseek _llseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64
  preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir
  sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee truncate
  truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev`);

const MEMORY = words(`
  brk cachestat madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock
  munlockall munmap pkey_alloc pkey_free pkey_mprotect`);

const PROCESSES = words(`
  capget capset execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid
  getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit
  getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self
  pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq sched_get_priority_max sched_get_priority_min sched_getaffinity
  sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
  sched_setparam sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid
  setfsuid32 setgid setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32
  setreuid setreuid32 setrlimit setsid setuid setuid32 sysinfo times tgkill tkill ugetrlimit uname vfork wait4 waitid waitpid`);

const SIGNALS_AND_TIME = words(`
  alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday
  nanosleep pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo setitimer sigaltstack signalfd signalfd4 sigprocmask sigreturn time timer_create
  timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
  timerfd_gettime64 timerfd_settime timerfd_settime64`);

const WAITING_AND_IPC = words(`
  epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 futex futex_requeue futex_time64
  futex_wait futex_waitv futex_wake getrandom ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
  mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select semctl
  semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`);

/** socketcall is not among them: its arguments lie in memory, where no filter can see the family. */
const SOCKETS = words(`
  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg send sendmmsg
  sendmsg sendto setsockopt shutdown`);

function allow(names: string[], rule: Omit<SyscallRule, 'names' | 'action'> = {}): SyscallRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...rule };
}

const equals = (index: number, value: number) => ({ index, value, op: 'SCMP_CMP_EQ' as const });

const SYSCALLS: SyscallRule[] = [
  allow([...FILES, ...MEMORY, ...PROCESSES, ...SIGNALS_AND_TIME, ...WAITING_AND_IPC, ...SOCKETS]),
  allow(words('arch_prctl'), { includes: { arches: ['amd64'] } }),
  allow(words('arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2'), {
    includes: { arches: ['arm', 'arm64'] },
  }),
  ...[AF_UNIX, AF_INET, AF_INET6].map((family) => allow(['socket'], { args: [equals(0, family)] })),
  allow(['socketpair'], { args: [equals(0, AF_UNIX)] }),
  // The C library lists addresses over it.
  allow(['socket'], { args: [equals(0, AF_NETLINK), equals(2, NETLINK_ROUTE)] }),
  ...PERSONALITIES.map((persona) => allow(['personality'], { args: [equals(0, persona)] })),
  allow(['clone'], { args: [{ index: 0, value: NEW_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] }),
  // Its flags lie in memory. ENOSYS, not EPERM, makes the C library fall back to clone.
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
];

export const SECCOMP_PROFILE = {
  // EPERM. For system calls newer than all of these the runtime answers ENOSYS.
  defaultAction: 'SCMP_ACT_ERRNO',
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: SYSCALLS,
} as const;
