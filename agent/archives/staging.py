"""Directories in which a call gathers what is not to be seen half done."""

import fcntl
import os
import time

from files import paths, removal
from wire.errors import RequestError, note_what_is_full

_PREFIX = b".sandbox-tmp-archive-"
# A cancelled request is given 3 s to end: what takes longer to remove is removed behind its end.
_REMOVAL_SECONDS = 1.5
_TRIES = 20


class Directory:
    """A new directory in the workspace's root, and so on one file system with all of it. It goes, with what is left in it, at the end.

    Its lock says that it is in use, until its process ends.
    """

    def __init__(self, channel):
        self._channel = channel
        self.root = os.open(paths.ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _remove_stale(self.root)
            self.name, self.handle = _make(self.root)
        except BaseException:
            os.close(self.root)
            raise

    def __enter__(self):
        return self

    def __exit__(self, _kind, error, _trace):
        note_what_is_full(error)
        give_up_at = time.monotonic() + _REMOVAL_SECONDS

        def check():
            if time.monotonic() > give_up_at:
                raise _TakesLong

        try:
            _remove(self.root, self.name, check)
        except _TakesLong:
            self._channel.after_end = self._finish_removal
        else:
            self._close()

    def _finish_removal(self):
        _remove(self.root, self.name, _never)
        self._close()

    def _close(self):
        # Locked until it was removed, so that no other call does that at the same time.
        os.close(self.handle)
        os.close(self.root)


class _TakesLong(Exception):
    pass


def _never():
    pass


def _make(root):
    """(name, descriptor) of a new directory that is locked."""
    for _ in range(_TRIES):
        name = _PREFIX + os.urandom(8).hex().encode()
        os.mkdir(name, 0o700, dir_fd=root)
        handle = _open_locked(name, root)
        if handle is not None:
            return name, handle
        # Before it was locked, another call took it for one of a call that was killed: it removes it.
    raise RequestError("WORKSPACE_LOCKED", "A process in the sandbox removes or locks each directory that is made to unpack in.")


def _open_locked(name, root):
    """A descriptor of the directory, which has its lock; None where another call has that, or has removed the directory."""
    try:
        handle = paths.open_directory(name, root)
    except FileNotFoundError:
        return None
    locked = False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It could have been removed before it was locked, but not since.
        locked = os.path.samestat(os.fstat(handle), os.stat(name, dir_fd=root, follow_symlinks=False))
    except (BlockingIOError, FileNotFoundError):
        pass
    finally:
        if not locked:
            os.close(handle)
    return handle if locked else None


def _remove(root, name, check):
    try:
        removal.remove_tree(root, name, check)
    except (OSError, RequestError):
        pass  # somebody in the sandbox plays with it: the next call tries again


def _remove_stale(root):
    """Those of calls that were killed."""
    for name in os.listdir(paths.ROOT):
        name = os.fsencode(name)
        if not name.startswith(_PREFIX):
            continue
        try:
            handle = _open_locked(name, root)
        except OSError:
            continue
        if handle is None:
            continue
        try:
            _remove(root, name, _never)
        finally:
            os.close(handle)
