"""Processes as the kernel shows them: process attributes of our own, and the end of a whole tree of others."""

import ctypes
import os
import select
import time

# The modules that wrap these (socket, signal, and in outbox.py collections) would cost each channel's opening some milliseconds and each
# sandbox a megabyte, for classes and constants that nothing here needs.
import _signal as signal
from _socket import socketpair

_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

# A fork bomb that calls setsid in each child needs several; past this many, kill what is known and look again.
_MAX_STOP_PASSES = 30
_MAX_QUICK_PASSES = 1000
_MAX_REAPED = 1000
_MAX_POLL_MS = (1 << 31) - 1

BACKGROUND_NAME = b"sandbox-bg"

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option, value):
    _libc.prctl(option, value, 0, 0, 0)


def become_subreaper():
    """Orphans among our descendants become our children, whatever session or group they moved to."""
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def set_dumpable(dumpable):
    """Off, no process of our uid can open our memory or descriptors through /proc, nor trace us."""
    _prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(1 if dumpable else 0))


def set_name(name):
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name))


def give_back_memory():
    """What has been freed since the start; each worker has it too. A C library other than glibc cannot."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


def volunteer_for_oom_killer():
    """Makes this process, and so the commands it starts, the first that the kernel kills when memory runs out."""
    set_dumpable(True)  # else the file belongs to root
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(fd, b"1000")
        finally:
            os.close(fd)
    except OSError:
        pass  # a runtime without it (gVisor) has an OOM killer of its own
    finally:
        set_dumpable(False)


def command_line(pid):
    """As /proc shows it, NUL-separated; empty for a zombie or a process that is gone."""
    return _read("/proc/%d/cmdline" % pid)


def comm(pid):
    return _read("/proc/%d/comm" % pid).rstrip(b"\n")


def named(name):
    """Pids of the processes of that name, which any process may give itself."""
    return [pid for pid in _pids() if comm(pid) == name]


def snapshot():
    """{pid: (parent, process group, state letter)} of all processes."""
    return {pid: stat for pid, stat in ((pid, _stat(pid)) for pid in _pids()) if stat is not None}


def _pids():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def _stat(pid):
    """(parent, process group, state letter), or None where it is gone."""
    stat = _read("/proc/%d/stat" % pid)
    # The name before the last ")" is the process's own choice: it may hold spaces, parentheses and newlines.
    fields = stat[stat.rfind(b")") + 2 :].split(None, 3)
    return (int(fields[1]), int(fields[2]), fields[0]) if len(fields) == 4 else None


def _read(path):
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""  # it ended in between
    finally:
        os.close(fd)


def kill_descendants(root, spared=()):
    """Kills all below root but the spared pids and what is below those, as far as it can be seen now; how many there were.

    They are stopped first, until a look finds none that is new: a killed process would free a place under the process limit for a
    fork bomb's next child, a stopped one does not. To be repeated until it returns 0: what a process forked between the looks is
    seen the next time, since root, a subreaper, inherits it. Zombies count until they are reaped. Never forks.
    """
    found = set()
    for _ in range(_MAX_STOP_PASSES):
        if not _stop_new(root, spared, found):
            break
    for pid in found:
        _signal(pid, signal.SIGKILL)
    return len(found)


def _stop_new(root, spared, found):
    """One look at all processes. Adds to found what descends from root; whether there was any that was not in it."""
    new = False
    # A process may end, leaving a child, in less time than a look at all takes. Root's children are one quick read, and every
    # orphan becomes one.
    for _ in range(_MAX_QUICK_PASSES):
        children = [pid for pid in _children(root) if pid not in found and pid not in spared]
        if not children:
            break
        for pid in reversed(children):
            _signal(pid, signal.SIGSTOP)
        found.update(children)
        new = True
    listed = _pids()
    found.intersection_update(listed)
    for pid in listed:
        if pid not in found and pid not in spared:
            stat = _stat(pid)
            if stat is not None and (stat[0] == root or stat[0] in found):
                _signal(pid, signal.SIGSTOP)
                found.add(pid)
                new = True
    return new


def _children(pid):
    """Where the kernel offers that list; else none."""
    return [int(child) for child in _read("/proc/%d/task/%d/children" % (pid, pid)).split()]


def _signal(pid, number):
    _quietly(os.kill, pid, number)
    try:
        group = os.getpgid(pid)
    except OSError:
        return  # gone
    # A group is signalled in one step that no fork slips through, so a plain fork bomb ends here at once.
    if group > 1 and group != os.getpgrp():
        _quietly(os.killpg, group, number)


def kill(pid):
    _quietly(os.kill, pid, signal.SIGKILL)


def signal_session(leader, number):
    """To every process of the session that this one leads."""
    for pid in _pids():
        try:
            if os.getsid(pid) == leader:
                os.kill(pid, number)
        except OSError:
            pass  # gone


def resume(pid):
    """Has a process go on that was stopped."""
    _quietly(os.kill, pid, signal.SIGCONT)


def exists(pid):
    """Whether it is there and no zombie."""
    stat = _stat(pid)
    return stat is not None and stat[2] != b"Z"


def _quietly(send, target, number):
    try:
        send(target, number)
    except OSError:
        pass  # gone, or a set-uid program's


def reap():
    """Collects children that have ended: ({pid: status}, whether any child is left)."""
    statuses = {}
    try:
        for _ in range(_MAX_REAPED):
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return statuses, True
            statuses[pid] = status
    except ChildProcessError:
        return statuses, False
    signal.raise_signal(signal.SIGCHLD)  # the rest at the next wakeup: they may come faster than they are collected
    return statuses, True


def open_wakeup():
    """A descriptor that becomes readable when a child of this process ends. One a process."""
    wake, woken = connected_pair()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, stack: None)
    return woken


def poll_ms(moment):
    """How long poll is to wait until then: at most what it takes, for whoever waits looks again."""
    return max(0, min((moment - time.monotonic()) * 1000 + 1, _MAX_POLL_MS))


def wait_wakeup(wakeup, timeout_ms):
    poll = select.poll()
    poll.register(wakeup, select.POLLIN)
    poll.poll(timeout_ms)


def clear_wakeup(wakeup):
    """To be called before reap(), so that a child that ends in between wakes again."""
    try:
        os.read(wakeup, 4096)
    except BlockingIOError:
        pass


def connected_pair():
    """Two connected descriptors. Not pipes: their buffers count against a limit that all sandboxes of one uid share."""
    return tuple(end.detach() for end in socketpair())
