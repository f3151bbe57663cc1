"""Out of memory: how often the kernel has killed a process of this sandbox for it."""

import os

# The engine mounts the sandbox's own cgroup there, read-only: of version 2, or of version 1.
_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
_LINE = b"\noom_kill "
_MAX_BYTES = 512


def _open():
    for path in _COUNTERS:
        try:
            return os.open(path, os.O_RDONLY)
        except OSError:
            pass
    return None


# Opened once and shared by all of the agent's processes, so that a look costs one system call.
_fd = _open()


def kills():
    """The kernel's count, which only grows; 0 where it does not tell (gVisor).

    It counts the whole sandbox: of calls that run side by side, each sees the same kill. The
    kernel counts before it kills, so that whoever sees the end of a process sees its count too.
    """
    if _fd is None:
        return 0
    try:
        text = os.pread(_fd, _MAX_BYTES, 0)
        at = text.find(_LINE)
        return int(text[at + len(_LINE) :].split(b"\n", 1)[0]) if at >= 0 else 0
    except (OSError, ValueError):
        return 0
