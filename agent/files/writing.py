"""write: puts a file in its place in one step."""

import os
import stat
import time

from files import conditions, paths
from files.checks import check_regular, check_size
from files.disk_room import DiskRoom
from files.workspace_lock import take_lock

_DEFAULT_MODE = 0o644
# Where PID 1 bounds the disk, a larger file has a name from the beginning. PID 1 sees no other.
_MAX_UNSEEN_BYTES = 16 << 20


def write_file(channel, request):
    # If-Match asks for a file that is there, so its parents are there too.
    make_parents = request.get("if_match") is None
    try:
        place = paths.resolve(request["path"], make_parents=make_parents)
    except FileNotFoundError:
        conditions.check(request, None)
        raise
    with place, Replacement(place, request.get("mode"), request["max_size"]) as replacement:
        size = _receive_content(channel, replacement, request["max_size"])
        replacement.finish()
        with take_lock(channel):
            status = conditions.status_of(place)
            conditions.check(request, status)
            return {"size": size, "created": status is None, "etag": replacement.commit()}


class Replacement:
    """A new file beside the one that it is to replace. It goes at the end, unless it was committed.

    If the file system can, the file has no name until then. So if its process is killed, nothing of
    it is left.
    """

    def __init__(self, place, mode=None, max_size=_MAX_UNSEEN_BYTES):
        """`mode`: permission bits; if None, those of the file that it replaces, or 0644.

        `max_size`: most bytes that will be written; 0: no limit. Raises RequestError STORAGE_FULL.
        """
        self._place = place
        self._room = DiskRoom()
        replaced = _replaced_mode(place)
        self._mode = replaced if mode is None else mode & 0o777
        # The name tells those who watch the directory whether the file replaces another.
        prefix = b".sandbox-tmp-new-" if replaced is None else b".sandbox-tmp-"
        self._temporary = paths.Place(place.directory, prefix + os.urandom(8).hex().encode())
        self._named = self._room.is_measured and not 0 < max_size <= _MAX_UNSEEN_BYTES
        try:
            if not self._named:
                self.file = paths.Place(place.directory, b".").open(os.O_WRONLY | os.O_TMPFILE)
        except OSError:
            self._named = True
        if self._named:
            self.file = self._temporary.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        os.close(self.file)
        if self._named:
            _unlink_quietly(self._temporary)

    def write(self, data):
        self._room.take(len(data))
        view = memoryview(data)
        while view:
            view = view[os.write(self.file, view) :]

    def finish(self):
        """Sets mode and time, and syncs the content to disk. Call it when all is written."""
        os.fchmod(self.file, _DEFAULT_MODE if self._mode is None else self._mode)
        # To the nanosecond, for the entity tag. The kernel tells the time in ticks, and the inode
        # may have been another file's in the same tick.
        now = time.time_ns()
        os.utime(self.file, ns=(now, now))
        os.fsync(self.file)

    def commit(self):
        """Puts the file in its place, and returns its entity tag. Call it under the lock."""
        directory = self._place.directory
        if not self._named:
            # It gets a name of its own first, because link(2) replaces nothing.
            os.link(b"/proc/self/fd/%d" % self.file, self._temporary.name, dst_dir_fd=directory, follow_symlinks=True)
            self._named = True
        os.rename(self._temporary.name, self._place.name, src_dir_fd=directory, dst_dir_fd=directory)
        self._named = False
        return conditions.etag(os.fstat(self.file))


def _replaced_mode(place):
    """Returns the permission bits of the file at the place, or None if there is none."""
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


def _receive_content(channel, replacement, max_size):
    size = 0
    while True:
        for data in channel.wait_input():
            if data is None:
                return size
            size += len(data)
            check_size(size, max_size)
            replacement.write(data)
            channel.grant_soon(len(data))
