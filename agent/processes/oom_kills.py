"""How often the kernel has killed a process of this sandbox because memory ran out."""

import os

# The engine mounts the sandbox's own cgroup there, read-only: of version 2, or of version 1.
_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
_LINE = b"\noom_kill "
_MAX_BYTES = 512


def _open_counter():
    for path in _COUNTERS:
        try:
            return os.open(path, os.O_RDONLY)
        except OSError:
            pass
    return None


# All processes of the agent share this descriptor, so that a look costs one system call.
_fd = _open_counter()


def count():
    """Returns the kernel's count, which only grows. 0 if the kernel gives none (gVisor).

    It counts for the whole sandbox: calls that run side by side all see the same kill. The kernel
    counts before it kills, so a process that sees the end of another sees its count too.
    """
    if _fd is None:
        return 0
    try:
        text = os.pread(_fd, _MAX_BYTES, 0)
        at = text.find(_LINE)
        return int(text[at + len(_LINE) :].split(b"\n", 1)[0]) if at >= 0 else 0
    except (OSError, ValueError):
        return 0
