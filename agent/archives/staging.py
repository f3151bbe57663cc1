"""Directories in which a call collects its result, so that no half of it is ever in place."""

import fcntl
import os
import time

from files import paths, removal
from wire.errors import RequestError, note_what_is_full

_PREFIX = b".sandbox-tmp-archive-"
# A cancelled request has 3 s to end. What takes longer to remove is removed after its END.
_REMOVAL_SECONDS = 1.5
_TRIES = 20


class StagingDirectory:
    """A new directory in the workspace's root, so it is on one file system with the workspace.

    At the end it is removed with what is left in it. Its lock says that it is in use, until its
    process ends.
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
        # It stays locked until it is removed, so that no other call removes it at the same time.
        os.close(self.handle)
        os.close(self.root)


class _TakesLong(Exception):
    pass


def _never():
    pass


def _make(root):
    """Makes a directory, and locks it. Returns (name, descriptor)."""
    for _ in range(_TRIES):
        name = _PREFIX + os.urandom(8).hex().encode()
        os.mkdir(name, 0o700, dir_fd=root)
        handle = _open_locked(name, root)
        if handle is not None:
            return name, handle
        # Another call has come before the lock. It takes the directory for one of a killed call.
    raise RequestError("WORKSPACE_LOCKED", "A process in the sandbox removes or locks each directory that is made to unpack in.")


def _open_locked(name, root):
    """Locks the directory. Returns its descriptor, which holds the lock.

    None if another call has the lock, or has removed the directory.
    """
    try:
        handle = paths.open_directory(name, root)
    except FileNotFoundError:
        return None
    locked = False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have been removed before it was locked, but not since.
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
        pass  # a command works in it; the next call tries again


def _remove_stale(root):
    """Removes the directories of calls that were killed."""
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
