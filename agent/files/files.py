"""The file operations of PROTOCOL.md. Each takes the link and the request and returns the `ok` of END."""

import errno
import os
import stat
import time

from files import conditions, paths, removal
from wire.errors import RequestError

_DEFAULT_MODE = 0o644


def write_file(link, request):
    # A file that If-Match wants to be there needs no parents made for it.
    make_parents = request.get("if_match") is None
    try:
        place = paths.resolve(request["path"], make_parents=make_parents)
    except FileNotFoundError:
        conditions.check(request, None)
        raise
    with place, Replacement(place, request.get("mode")) as replacement:
        size = _receive_content(link, replacement, request["max_size"])
        replacement.finish()
        with conditions.locked(link):
            status = conditions.status_of(place)
            conditions.check(request, status)
            return {"size": size, "created": status is None, "etag": replacement.commit()}


class Replacement:
    """A file beside the one that it is to replace, or to become; gone at the end, unless it was committed.

    It has no name until then, where the file system knows such files: so nothing is left of one whose process is killed.
    """

    def __init__(self, place, mode=None):
        """Without a mode (permission bits) it has that of the file that it replaces."""
        self._place = place
        replaced = _replaced_mode(place)
        self._mode = replaced if mode is None else mode & 0o777
        self._temporary = paths.Place(place.directory, b".sandbox-tmp-" + os.urandom(8).hex().encode())
        try:
            self.file = paths.Place(place.directory, b".").open(os.O_WRONLY | os.O_TMPFILE)
            self._named = False
        except OSError:
            self.file = self._temporary.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            self._named = True

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        os.close(self.file)
        if self._named:
            _unlink_quietly(self._temporary)

    def write(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.file, view) :]

    def finish(self):
        """Its content is whole, and on the disk."""
        os.fchmod(self.file, _DEFAULT_MODE if self._mode is None else self._mode)
        # To the nanosecond, for its entity tag: the kernel tells the time in ticks, and an inode may have been another file's just before.
        now = time.time_ns()
        os.utime(self.file, ns=(now, now))
        os.fsync(self.file)

    def commit(self):
        """Puts it in the other's place: its entity tag there. To be called under the lock."""
        directory = self._place.directory
        if not self._named:
            # To a name of its own first, since a link replaces nothing.
            os.link(b"/proc/self/fd/%d" % self.file, self._temporary.name, dst_dir_fd=directory, follow_symlinks=True)
            self._named = True
        os.rename(self._temporary.name, self._place.name, src_dir_fd=directory, dst_dir_fd=directory)
        self._named = False
        return conditions.etag(os.fstat(self.file))


def _replaced_mode(place):
    """Permission bits of the file that is there; None where none is."""
    try:
        status = place.stat()
    except FileNotFoundError:
        return None
    check_regular(status)
    return stat.S_IMODE(status.st_mode) & 0o777


def _unlink_quietly(place):
    try:
        os.unlink(place.name, dir_fd=place.directory)
    except OSError:
        pass


def _receive_content(link, replacement, max_size):
    size = 0
    while True:
        for data in link.wait_input():
            if data is None:
                return size
            size += len(data)
            check_size(size, max_size)
            replacement.write(data)
            link.grant(len(data))


def delete(link, request):
    if not request["path"]:
        raise RequestError("INVALID_PATH", "The workspace itself cannot be deleted.")
    with paths.resolve(request["path"], follow_last=False) as place:
        with conditions.locked(link):
            status = place.stat()
            conditions.check(request, status)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(place.name, dir_fd=place.directory)
                return {}
        # Not under the lock, since it may take long, and what is below a directory is nothing that its entity tag speaks of.
        removal.remove_tree(place.directory, place.name, link.receive)
    return {}


def check_regular(status):
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "a link since it was resolved")
    if stat.S_ISDIR(status.st_mode):
        raise RequestError("IS_A_DIRECTORY", "It is a directory.")
    if not stat.S_ISREG(status.st_mode):
        raise RequestError("NOT_A_REGULAR_FILE", "It is not a regular file.")


def check_size(size, max_size):
    if max_size and size > max_size:
        raise RequestError("FILE_TOO_LARGE", "The file is larger than %d bytes." % max_size)


def _of(module, function):
    """An operation of a module that is compiled when a worker first needs it."""
    return lambda link, request: getattr(__import__(module, None, None, (function,)), function)(link, request)


OPERATIONS = {
    "read": _of("files.reading", "read_file"),
    "write": write_file,
    "delete": delete,
    "list": _of("files.listing", "list_directory"),
    "stat": _of("files.listing", "stat_path"),
    "move": _of("files.moving", "move"),
    "mkdir": _of("files.moving", "make_directory"),
    "search": _of("files.search.search", "search"),
    "edit": _of("files.editing.editing", "edit"),
    "pack": _of("archives.pack", "pack"),
    "unpack": _of("archives.unpack", "unpack"),
}
