"""Removes directory trees of any depth and width, with a few descriptors and without recursion."""

import errno
import os

from files import paths
from wire.errors import RequestError

_CANCEL_CHECK_INTERVAL = 256


def remove_tree(parent, name, check):
    """Removes the directory of that name in the directory `parent` (a descriptor).

    It removes links and does not follow them. It gives the owner access to directories that deny
    it. It calls `check` now and then, which may raise. Raises OSError, and RequestError if a part
    of the tree is moved during the call. Then the rest is left.
    """
    while not _gone(os.rmdir, name, parent):
        try:
            top = _open(name, parent)
        except FileNotFoundError:
            return
        _empty_tree(top, check)


def _empty_tree(current, check):
    """Empties the directory, and closes its descriptor."""
    # For each directory above the current one, from the top: (name of the directory below,
    # identity).
    trail = []
    try:
        while True:
            below = _empty(current, check)
            if below is not None:
                try:
                    child = _open(below, current)
                except FileNotFoundError:
                    continue  # another process removes here too
                trail.append((below, paths.identity(current)))
                current = paths.exchange(current, child)
            elif trail:
                done, identity = trail.pop()
                current = paths.exchange(current, _open(b"..", current))
                if paths.identity(current) != identity:
                    raise RequestError("INTERNAL_ERROR", "A directory was moved while it was deleted.")
                _gone(os.rmdir, done, current)  # if it was filled again, the next look finds it
            else:
                return
    finally:
        os.close(current)


def _empty(directory, check):
    """Removes entries up to the first directory that is not empty. Returns its name, or None."""
    with os.scandir(directory) as entries:
        for count, entry in enumerate(entries):
            if count % _CANCEL_CHECK_INTERVAL == 0:
                check()
            name = os.fsencode(entry.name)
            if not _gone(os.rmdir if entry.is_dir(follow_symlinks=False) else os.unlink, name, directory):
                return name
    return None


def _gone(remove, name, directory):
    """Removes an entry. Returns False if it is a directory that is not empty."""
    try:
        remove(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
            return False  # with the last two errors, another kind of file took its place
        raise
    return True


def _open(name, parent):
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if os.fstat(handle).st_mode & 0o700 != 0o700:
            # By descriptor: the name could be a link by now.
            os.chmod("/proc/self/fd/%d" % handle, 0o700)
        return os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    finally:
        os.close(handle)
