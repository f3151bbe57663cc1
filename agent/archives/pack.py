"""pack: sends what is in a directory, or one file, as records (PROTOCOL.md, "pack").

The host makes a tar of them. For small files most of a tar is headers and padding, and the
sandbox's CPU time is scarce.
"""

import errno
import os
import stat
import struct

from files import checks, paths
from wire.errors import RequestError

_CHUNK = 64 << 10
_PARENT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_TEMPORARY = ".sandbox-tmp-"  # the names that calls under way use begin so
_ZEROS = bytes(_CHUNK)
_RECORD = struct.Struct(">cIQQHH")
_FILE, _SYMLINK, _DIR = b"0", b"2", b"5"
_MAX_NAME_BYTES = 4096
# An entry has been deleted, or has become or ceased to be a link, since it was listed.
_CHANGED = (errno.ENOENT, errno.ELOOP, errno.EINVAL)


def pack_path(channel, request):
    max_size, max_entries = request["max_size"], request["max_entries"]
    with paths.resolve(request["path"]) as place:
        status = place.stat()
        if not stat.S_ISDIR(status.st_mode):
            checks.check_regular(status)
            return _pack_file(channel, place, paths.components(request["path"])[-1], _Budget(max_size, max_entries))
        directory = place.open_directory()
    try:
        if not _is_surely_within(directory, max_size, max_entries):
            # It first goes through for the size alone. After the first byte has gone out, the
            # client cannot get the error that it is too large any more.
            budget = _Budget(max_size, max_entries)
            for _, current, entries in _walk(os.dup(directory)):
                channel.receive()
                for name, kind in entries:
                    budget.add(_size(name, current) if kind == _FILE else 0)
        budget = _Budget(max_size, max_entries)
        output = _Output(channel)
        for path, current, entries in _walk(os.dup(directory)):
            for name, kind in entries:
                try:
                    _add(output, budget, path + name, name, kind, current)
                except OSError as error:
                    if error.errno not in _CHANGED:
                        raise
        output.finish()
        return {"entries": budget.entries, "size": budget.size}
    finally:
        os.close(directory)


def _pack_file(channel, place, name, budget):
    """Packs one file, by the name in the request."""
    output = _Output(channel)
    _add(output, budget, name, place.name, _FILE, place.directory)
    output.finish()
    return {"entries": budget.entries, "size": budget.size}


def _is_surely_within(directory, max_size, max_entries):
    """Returns whether the whole file system is within the limits. Then nothing has to be measured.

    Only sparse files could make it wrong.
    """
    status = os.fstatvfs(directory)
    if not status.f_blocks or not status.f_files:
        return False  # the file system does not say
    return (status.f_blocks - status.f_bfree) * status.f_frsize <= max_size and status.f_files - status.f_ffree <= max_entries


def _size(name, directory):
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


class _Budget:
    def __init__(self, max_size, max_entries):
        self._max_size = max_size
        self._max_entries = max_entries
        self.size = self.entries = 0

    def add(self, size):
        self.size += size
        self.entries += 1
        if self.size > self._max_size:
            raise RequestError("FILE_TOO_LARGE", "There are more than %d bytes to pack: take the directories or files below by themselves." % self._max_size)
        if self.entries > self._max_entries:
            raise RequestError("FILE_TOO_LARGE", "There are more than %d entries to pack: take the directories below by themselves." % self._max_entries)


def _add(output, budget, name, last, kind, directory):
    if kind == _FILE:
        file = os.open(last, _READ, dir_fd=directory)
        try:
            status = os.fstat(file)
            if stat.S_ISREG(status.st_mode):
                size = status.st_size
                budget.add(size)
                data = os.read(file, min(size, _CHUNK)) if size else b""
                output.write(_record(kind, name, status, size) + data)
                if len(data) < size:
                    _copy(output, file, size - len(data))
        finally:
            os.close(file)
        return
    budget.add(0)
    status = os.stat(last, dir_fd=directory, follow_symlinks=False)
    target = os.readlink(last, dir_fd=directory) if kind == _SYMLINK else b""
    output.write(_record(kind, name, status, 0, target))


def _record(kind, name, status, size, target=b""):
    return _RECORD.pack(kind, status.st_mode & 0o777, max(0, int(status.st_mtime)), size, len(name), len(target)) + name + target


def _copy(output, file, left):
    """Sends exactly as much content as the record says.

    It leaves out what the file has gained since. It sends zeros for what the file has lost.
    """
    while left:
        data = os.read(file, min(left, _CHUNK)) or _ZEROS[:left]
        left -= len(data)
        output.write(data)


def _walk(current):
    """Yields (path with a slash at its end, descriptor, sorted (name, kind)) for each directory.

    It begins with `current`, and goes on with all below it. The names are those of the entries to
    pack. It holds one descriptor, which it closes, however deep it goes.
    """
    # For each directory above the current one: (path, identity, directories still to come,
    # reversed).
    trail = []
    path = b""
    try:
        entries = _entries(current)
        while True:
            yield path, current, entries
            ahead = [name for name, kind in reversed(entries) if kind == _DIR]
            while True:
                child = _open_next(ahead, current)
                if child is not None:
                    break
                if not trail:
                    return
                path, identity, ahead = trail.pop()
                current = paths.exchange(current, os.open(b"..", _PARENT, dir_fd=current))
                if paths.identity(current) != identity:
                    raise RequestError("INTERNAL_ERROR", "A directory was moved while it was packed.")
            name, below = child
            trail.append((path, paths.identity(current), ahead))
            path += name + b"/"
            current = paths.exchange(current, below)
            entries = _entries(current)
            if len(path) + max((len(name) for name, _ in entries), default=0) >= _MAX_NAME_BYTES:
                raise RequestError("INVALID_PATH", "The directory holds a path of more than %d bytes." % _MAX_NAME_BYTES)
    finally:
        os.close(current)


def _open_next(ahead, parent):
    """Returns (name, descriptor) of the next directory that is still there, or None."""
    while ahead:
        name = ahead.pop()
        try:
            return name, paths.open_directory(name, parent)
        except (FileNotFoundError, NotADirectoryError):
            pass
    return None


def _entries(directory):
    with os.scandir(directory) as entries:
        found = [(os.fsencode(entry.name), _kind(entry)) for entry in entries]
    return sorted(each for each in found if each[1] is not None)


def _kind(entry):
    """Returns the kind of an entry, or None if it is not packed."""
    if entry.name.startswith(_TEMPORARY):
        return None
    if entry.is_file(follow_symlinks=False):
        return _FILE
    if entry.is_dir(follow_symlinks=False):
        return _DIR
    return _SYMLINK if entry.is_symlink() else None


class _Output:
    """Collects output, so that it goes out in full frames."""

    def __init__(self, channel):
        self._channel = channel
        self._pending = bytearray()

    def write(self, data):
        self._pending += data
        if len(self._pending) >= _CHUNK:
            whole = len(self._pending) // _CHUNK * _CHUNK
            self._channel.send_output(self._pending[:whole])
            self._pending = self._pending[whole:]

    def finish(self):
        self._channel.send_output(self._pending)
