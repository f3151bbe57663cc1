"""Directories in which a call gathers what is not to be seen half done."""

import fcntl
import os
import time

import paths
import removal

_PREFIX = b".sandbox-tmp-archive-"
# A cancelled request is given 3 s to end: what takes longer to remove is removed behind its end.
_REMOVAL_SECONDS = 1.5


class Directory:
    """A new directory in the workspace's root, and so on one file system with all of it. It goes, with what is left in it, at the end."""

    def __init__(self, link):
        self._link = link
        self.name = _PREFIX + os.urandom(8).hex().encode()
        self.root = os.open(paths.ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.mkdir(self.name, 0o700, dir_fd=self.root)
            self.handle = paths.open_directory(self.name, self.root)
            # Says that it is in use, until its process ends.
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_stale(self.root)
        except BaseException:
            os.close(self.root)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        give_up_at = time.monotonic() + _REMOVAL_SECONDS

        def check():
            if time.monotonic() > give_up_at:
                raise _TakesLong

        os.close(self.handle)
        try:
            _remove(self.root, self.name, check)
        except _TakesLong:
            root, name = os.dup(self.root), self.name
            self._link.afterwards = lambda: _remove(root, name, lambda: None)
        finally:
            os.close(self.root)


class _TakesLong(Exception):
    pass


def _remove(root, name, check):
    try:
        removal.remove_tree(root, name, check)
    except (OSError, removal.RequestError):
        pass  # somebody in the sandbox plays with it: the next call tries again


def _remove_stale(root):
    """Those of calls that were killed."""
    for name in os.listdir(paths.ROOT):
        name = os.fsencode(name)
        if not name.startswith(_PREFIX):
            continue
        try:
            handle = paths.open_directory(name, root)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        finally:
            os.close(handle)
        _remove(root, name, lambda: None)
