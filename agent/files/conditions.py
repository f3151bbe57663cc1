"""Entity tags and preconditions (RFC 9110, section 13), and the lock under which they are compared and acted upon."""

import fcntl
import os
import time

from files import paths
from wire.errors import RequestError

_MAX_WAIT_SECONDS = 10.0
_RETRY_SECONDS = 0.002


def etag(status):
    """Of the file that has this status. Writing, replacing and renaming it, and a change of its mode, make another one."""
    return "%x.%x.%x.%x" % (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def status_of(place):
    """None where nothing is there."""
    try:
        return place.stat()
    except FileNotFoundError:
        return None


def check(request, status):
    """Both conditions of a request against the status of what is there, None for nothing. Raises RequestError PRECONDITION_FAILED."""
    check_match(request, status)
    check_none_match(request, status)


def check_match(request, status):
    tags = request.get("if_match")
    if tags is not None and not _match(tags, status):
        raise RequestError("PRECONDITION_FAILED", "What is there is not, or no longer, what If-Match names.")


def check_none_match(request, status):
    tags = request.get("if_none_match")
    if tags is not None and _match(tags, status):
        raise RequestError("PRECONDITION_FAILED", "What is there is what If-None-Match excludes.")


def _match(tags, status):
    return status is not None and (tags == "*" or etag(status) in tags)


class Lock:
    """One for the whole sandbox, over all its agents: between a comparison and the change that rests on it, no other call changes a file.

    It is an flock on the directory that holds the workspace, which is always there, takes no space, and which no program has reason to
    lock. Whatever an agent can lock its user's commands can lock too: so the wait for it is bounded. It is held for a few system calls;
    by "unpack" for a few for each entry, since its moves are one change.
    """

    def __init__(self, channel):
        self._channel = channel
        self._fd = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.release()

    def take(self):
        """Raises RequestError WORKSPACE_LOCKED, and Cancelled."""
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


def locked(channel):
    """The lock, taken."""
    lock = Lock(channel)
    lock.take()
    return lock
