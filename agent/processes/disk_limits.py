"""What PID 1 tells of the disk that the workspace is on. It is the program of disk/ then.

In a sandbox whose workspace is in memory PID 1 is a shell, and this costs nothing.
"""

import os
import time

import _signal as signal  # see waiting.py

from wire.errors import RequestError

_WORKSPACE = "/workspace"
_INIT = "/proc/1/"
_MARK = b"\0sandbox-disk\0"
_MAX_BYTES = 32
# Until PID 1 has taken its first name, it has ended nothing.
_NO_ENDS = b"d0"
# A file system with less than this is full. It is the workspace's own if the kernel keeps a quota.
_FULL_BYTES = 64 << 10
# PID 1 looks four times a second, and two measurements may be needed. A large workspace takes
# longer to measure than this.
_MEASURE_SECONDS, _MEASURE_POLL_SECONDS = 2.0, 0.02


def _open_name():
    try:
        with open(_INIT + "cmdline", "rb") as line:
            if _MARK not in line.read(65536):
                return None
        return os.open(_INIT + "comm", os.O_RDONLY)
    except OSError:
        return None


# The name of PID 1. All processes of the agent share this descriptor, so that a look costs one
# system call.
_fd = _open_name()


def _told():
    """Returns (how often PID 1 has ended the commands, MiB that are free, or b"x"), as bytes."""
    try:
        ends, _, free = os.pread(_fd, _MAX_BYTES, 0).rstrip(b"\n").partition(b"/")
    except OSError:
        return _NO_ENDS, b""
    return (ends, free) if ends[:1] == b"d" and free else (_NO_ENDS, b"")


def ends():
    """Returns what changes each time that PID 1 ends the commands for the disk.

    It is about the whole sandbox: commands that run side by side all see the same change. PID 1
    tells it before it kills, so a process that sees the end of another sees the change too.
    """
    return None if _fd is None else _told()[0]


def reached(before):
    """Returns whether the commands were ended since `ends` was `before`, or the disk is full."""
    if _fd is None:
        return False
    return _told()[0] != before or _is_full()


def _is_full():
    try:
        found = os.statvfs(_WORKSPACE)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _FULL_BYTES


def _is_far_past():
    return _told()[1] == b"x"


def free_bytes():
    """Returns how much may be written, as it was last measured. None: nobody has measured."""
    free = b"" if _fd is None else _told()[1]
    if free == b"x":
        return 0
    return int(free) << 20 if free else None


def is_bounded():
    """Returns whether PID 1 bounds the disk."""
    return _fd is not None


def measure_soon():
    """Has PID 1 measure, and does not wait for it."""
    if _fd is not None:
        os.kill(1, signal.SIGUSR2)


def measured_again(is_enough):
    """Has PID 1 measure, since it may have done so before somebody deleted files.

    Returns what `free_bytes` returns as soon as that is enough, or when the time is over. The next
    measurement may have begun before the files were deleted. So one that is not enough does not
    settle it.
    """
    if _fd is not None:
        give_up_at = time.monotonic() + _MEASURE_SECONDS
        measure_soon()
        while not is_enough(free_bytes()) and time.monotonic() < give_up_at:
            time.sleep(_MEASURE_POLL_SECONDS)
    return free_bytes()


def begin_command():
    """Tells PID 1 to look. Raises RequestError if the workspace holds far too much already.

    Past the limit commands may run, to delete. Each could add a little before it is ended.
    """
    if _fd is not None:
        if _is_far_past():
            measured_again(lambda _: not _is_far_past())
            if _is_far_past():
                raise RequestError(
                    "STORAGE_FULL", "The workspace holds far more than its disk may, and no command runs: delete files by file calls first."
                )
        tell_written()


def tell_written():
    """Tells PID 1 that the workspace has changed."""
    if _fd is not None:
        os.kill(1, signal.SIGUSR1)
