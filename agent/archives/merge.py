"""Moves what is in one directory into another."""

import errno
import os
import stat

from files import file_names, paths
from wire.errors import RequestError


def merge_directory(source, place, check):
    """Files replace files and links. Directories are joined.

    It moves nothing if a file would meet a directory, or if a directory to join cannot be written
    to. If nothing is at the place, it makes a directory there. It calls `check` now and then until
    the first move; `check` may raise. Call it under the lock, so that no other call changes what it
    has found before the first move.
    """
    try:
        os.mkdir(place.name, 0o755, dir_fd=place.directory)
    except FileExistsError:
        pass
    target = place.open_directory()
    try:
        _walk(place.name, source, target, lambda name, below, into: _look_for_conflicts(name, below, into, check))
        _walk(place.name, source, target, _move)
    finally:
        os.close(target)


def _walk(name, source, target, visit):
    """Calls `visit(name, source, target)` for two directories, and then for pairs below them.

    `visit` returns the names of those pairs. It holds a few descriptors, however deep it goes, and
    comes back up by `..`.
    """
    pair = _open_both(b".", (source, target))
    trail = []  # (identities, names still to come) for each pair above the current one
    try:
        ahead = visit(name, *pair)
        while ahead or trail:
            if ahead:
                name = ahead.pop()
                below = _open_both(name, pair)
                try:
                    names = visit(name, *below)
                    if names:  # most have none
                        trail.append((_identities(pair), ahead))
                        ahead = names
                        pair, below = below, pair
                finally:
                    _close_both(below)
            else:
                identities, ahead = trail.pop()
                below, pair = pair, _open_both(b"..", pair)
                _close_both(below)
                if _identities(pair) != identities:
                    raise RequestError("INTERNAL_ERROR", "A directory was moved while the archive was put in place.")
    finally:
        _close_both(pair)


def _open_both(name, pair):
    source = paths.open_directory(name, pair[0])
    try:
        return source, paths.open_directory(name, pair[1])
    except BaseException:
        os.close(source)
        raise


def _close_both(pair):
    for directory in pair:
        os.close(directory)


def _identities(pair):
    return [paths.identity(directory) for directory in pair]


def _look_for_conflicts(name, source, target, check):
    """Returns the names of the directories that are in both. Raises RequestError for a conflict."""
    if not os.access(b".", os.W_OK | os.X_OK, dir_fd=target):
        raise _conflict("PERMISSION_DENIED", name, "a directory that cannot be written to")
    if not os.listdir(target):
        return []
    check()
    both = []
    for name, is_directory in _entries(source):
        try:
            meets_directory = stat.S_ISDIR(os.stat(name, dir_fd=target, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            continue
        if is_directory and meets_directory:
            both.append(name)
        elif is_directory:
            raise _conflict("NOT_A_DIRECTORY", name, "no directory")
        elif meets_directory:
            raise _conflict("IS_A_DIRECTORY", name, "a directory")
    return both


def _move(_, source, target):
    """Moves all but the directories that are in both and are not empty in the target.

    Returns the names of those.
    """
    both = []
    for name, is_directory in _entries(source):
        try:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        except OSError as error:
            if not is_directory or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            both.append(name)
    return both


def _entries(directory):
    """Returns [(name, whether it is a directory)]."""
    with os.scandir(directory) as entries:
        return [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]


def _conflict(code, name, what):
    return RequestError(code, "%s is there already, and is %s." % (file_names.shown(name), what))
