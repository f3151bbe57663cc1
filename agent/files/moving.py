"""move and mkdir."""

import ctypes
import errno
import os
import stat

from files import conditions, paths
from files.disk_room import DiskRoom
from files.workspace_lock import take_lock
from wire.errors import RequestError

_NO_REPLACE = 1
_libc = ctypes.CDLL(None, use_errno=True)
# The errors of a C library, kernel or file system that does not know renameat2 or its flag.
_NOT_THERE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


def move_path(channel, request):
    """Follows no link: it moves a link at `from` itself, and replaces a link at `to` itself."""
    origin, target = request["from"], request["to"]
    if not origin or not target:
        raise RequestError("INVALID_PATH", "The workspace itself cannot be moved or replaced.")
    if target.startswith(origin + "/"):
        raise _into_itself()
    with paths.resolve(origin, follow_last=False) as source:
        conditions.check_match(request, source.stat())  # before it makes parents
        with paths.resolve(target, follow_last=False, make_parents=True) as goal, take_lock(channel):
            status = source.stat()
            conditions.check_match(request, status)
            there = conditions.status_of(goal)
            if there is not None and not request["overwrite"]:
                raise _exists("There is something at the target already.")
            conditions.check_none_match(request, there)
            _rename(source, status, goal, there)
            return {"etag": conditions.etag(goal.stat())}


def _rename(source, status, goal, there):
    try:
        if there is None:
            _rename_to_nothing(source, status, goal)
        elif os.path.samestat(status, there) and not _same(source, goal):
            # These are two names of one file. rename(2) would do nothing.
            os.unlink(source.name, dir_fd=source.directory)
        else:
            _replace(source, goal)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise _into_itself()
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _exists("There is a directory with something in it, or something came there during the call.")
        raise


def _same(source, goal):
    return source.name == goal.name and os.path.samestat(os.fstat(source.directory), os.fstat(goal.directory))


def _replace(source, goal):
    os.rename(source.name, goal.name, src_dir_fd=source.directory, dst_dir_fd=goal.directory)


def _rename_to_nothing(source, status, goal):
    """Renames, and replaces nothing, also not what comes there during the call."""
    code = _rename_no_replace(source, goal)
    if code in _NOT_THERE:
        if stat.S_ISDIR(status.st_mode):
            _replace(source, goal)  # rename(2) replaces only an empty directory: no content is lost
        else:
            os.link(source.name, goal.name, src_dir_fd=source.directory, dst_dir_fd=goal.directory, follow_symlinks=False)
            os.unlink(source.name, dir_fd=source.directory)
    elif code:
        raise OSError(code, os.strerror(code))


def _rename_no_replace(source, goal):
    """Returns 0, or an errno."""
    try:
        rename = _libc.renameat2
    except AttributeError:
        return errno.ENOSYS
    return ctypes.get_errno() if rename(source.directory, source.name, goal.directory, goal.name, _NO_REPLACE) else 0


def make_directory(channel, request):
    """Makes the directory and its parents. Leaves a directory that is there as it is."""
    DiskRoom()  # raises if there is none
    with paths.resolve(request["path"], make_parents=True) as place:
        try:
            os.mkdir(place.name, 0o755, dir_fd=place.directory)
            return {"created": True}
        except FileExistsError:
            if stat.S_ISDIR(place.stat().st_mode):
                return {"created": False}
            raise _exists("There is something that is not a directory.")


def _into_itself():
    return RequestError("INVALID_PATH", "A directory cannot be moved into itself.")


def _exists(detail):
    return RequestError("ALREADY_EXISTS", detail)
