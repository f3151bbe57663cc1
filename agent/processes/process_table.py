"""The processes of the sandbox, as /proc shows them."""

import os


def pids():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def command_line(pid):
    """Returns the arguments, each with a NUL behind it. Empty for a process that has ended."""
    return _read("/proc/%d/cmdline" % pid)


def name_of(pid):
    return _read("/proc/%d/comm" % pid).rstrip(b"\n")


def pids_named(name):
    """Returns the pids of the processes of that name. Any process may give itself any name."""
    return [pid for pid in pids() if name_of(pid) == name]


def snapshot():
    """Returns {pid: (parent, process group, state letter)} of all processes."""
    return {pid: stat for pid, stat in ((pid, stat_of(pid)) for pid in pids()) if stat is not None}


def stat_of(pid):
    """Returns (parent, process group, state letter), or None if the process has ended."""
    stat = _read("/proc/%d/stat" % pid)
    # The process chooses the name before the last ")". It may hold spaces, parentheses and
    # newlines.
    fields = stat[stat.rfind(b")") + 2 :].split(None, 3)
    return (int(fields[1]), int(fields[2]), fields[0]) if len(fields) == 4 else None


def exists(pid):
    """Returns whether the process is there and is no zombie."""
    stat = stat_of(pid)
    return stat is not None and stat[2] != b"Z"


def children_of(pid):
    """Returns the pids of its children. Empty if the kernel has no such list."""
    return [int(child) for child in _read("/proc/%d/task/%d/children" % (pid, pid)).split()]


def _read(path):
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""  # the process ended in between
    finally:
        os.close(fd)
