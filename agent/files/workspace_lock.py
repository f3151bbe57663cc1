"""The lock that makes a comparison of entity tags and the change that rests on it one step."""

import fcntl
import os
import time

from files import paths
from wire.errors import RequestError

_MAX_WAIT_SECONDS = 10.0
_RETRY_SECONDS = 0.002


class WorkspaceLock:
    """One lock for the whole sandbox, over all its agents. No other call changes a file meanwhile.

    It is an flock on the directory that contains the workspace. That directory is always there, and
    no program has a reason to lock it. What an agent can lock, its user's commands can lock too. So
    the wait for it is bounded. A call holds it for a few system calls; "unpack" holds it for a few
    for each entry, because its moves are one change.
    """

    def __init__(self, channel):
        self._channel = channel
        self._fd = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.release()

    def take(self):
        """Waits for the lock. Raises RequestError WORKSPACE_LOCKED, and Cancelled."""
        if self._fd is not None:
            return
        fd = os.open(os.path.dirname(paths.ROOT), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._wait(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self):
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _wait(self, fd):
        deadline = time.monotonic() + _MAX_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RequestError("WORKSPACE_LOCKED", "A process in the sandbox holds the lock under which files are changed.")
            time.sleep(_RETRY_SECONDS)
            self._channel.receive()


def take_lock(channel):
    """Takes the lock, and returns it. It is released at the end of a `with`."""
    lock = WorkspaceLock(channel)
    lock.take()
    return lock
