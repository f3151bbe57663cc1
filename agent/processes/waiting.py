"""Waiting: for the end of child processes, for a moment, or for another process to write."""

import os
import select
import time

# The modules that wrap these are socket, signal and, in outbox.py, collections. They would cost
# each start of an agent some milliseconds and each sandbox a megabyte. Nothing here needs their
# classes and constants.
import _signal as signal
from _socket import socketpair

_MAX_REAPED = 1000
_MAX_POLL_MS = (1 << 31) - 1


def open_wakeup():
    """Returns a descriptor that becomes readable when a child of this process ends.

    A process can have one only.
    """
    wake, woken = connected_pair()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, stack: None)
    return woken


def wait_wakeup(wakeup, timeout_ms):
    poll = select.poll()
    poll.register(wakeup, select.POLLIN)
    poll.poll(timeout_ms)


def clear_wakeup(wakeup):
    """Call it before reap(), so that a child that ends in between wakes again."""
    try:
        os.read(wakeup, 4096)
    except BlockingIOError:
        pass


def reap():
    """Collects children that have ended. Returns ({pid: status}, whether any child is left)."""
    statuses = {}
    try:
        for _ in range(_MAX_REAPED):
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return statuses, True
            statuses[pid] = status
    except ChildProcessError:
        return statuses, False
    # The rest is collected at the next wakeup, because children may end faster than this collects.
    signal.raise_signal(signal.SIGCHLD)
    return statuses, True


def poll_ms(moment):
    """Returns how long poll() waits until that moment (monotonic, s), in ms.

    It may be less if that is more than poll() takes. The caller looks again then.
    """
    return max(0, min((moment - time.monotonic()) * 1000 + 1, _MAX_POLL_MS))


def connected_pair():
    """Returns two connected descriptors.

    They are no pipes: the buffers of pipes count against a limit that all sandboxes of one uid
    share.
    """
    return tuple(end.detach() for end in socketpair())
