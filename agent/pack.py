"""Packs a directory of the workspace into a tar that is sent as it is made (PROTOCOL.md, "pack")."""

import os
import stat
import zlib

import paths
import tarball
from errors import RequestError

_CHUNK = 64 << 10
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_TEMPORARY = ".sandbox-tmp-"  # what other calls have under way
_ZEROS = bytes(_CHUNK)


def pack(link, request):
    with paths.resolve(request["path"]) as place:
        directory = place.open(os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Once through for its size alone: past the first byte, a client could no longer be told that it is too large.
        measured = _Budget(request["max_size"], request["max_entries"])
        for _ in _walk(os.dup(directory), lambda current: _measure(current, measured, link.receive)):
            pass
        output = _Output(link, request["gzip"])
        budget = _Budget(request["max_size"], request["max_entries"])
        for path, name, kind, current in _walk(os.dup(directory), _entries):
            try:
                _add(output, budget, path + name, name, kind, current)
            except FileNotFoundError:
                pass  # deleted since it was listed
        output.write(tarball.END)
        output.finish()
        return {"entries": budget.entries, "size": budget.size}
    finally:
        os.close(directory)


class _Budget:
    def __init__(self, max_size, max_entries):
        self._max_size = max_size
        self._max_entries = max_entries
        self.size = self.entries = 0

    def add(self, size):
        self.size += size
        self.entries += 1
        if self.size > self._max_size:
            raise RequestError("FILE_TOO_LARGE", "The directory's files are larger than %d bytes." % self._max_size)
        if self.entries > self._max_entries:
            raise RequestError("FILE_TOO_LARGE", "The directory has more than %d entries." % self._max_entries)


def _measure(directory, budget, check):
    """Counts what is in it; gives the directories alone."""
    check()
    below = []
    with os.scandir(directory) as entries:
        for entry in entries:
            kind = _kind(entry)
            if kind is None:
                continue
            if kind == tarball.FILE:
                try:
                    budget.add(entry.stat(follow_symlinks=False).st_size)
                except FileNotFoundError:
                    pass
                continue
            budget.add(0)
            if kind == tarball.DIRECTORY:
                below.append((os.fsencode(entry.name), kind))
    return below


def _add(output, budget, name, last, kind, directory):
    if kind == tarball.FILE:
        file = os.open(last, _READ, dir_fd=directory)
        try:
            status = os.fstat(file)
            if stat.S_ISREG(status.st_mode):
                budget.add(status.st_size)
                output.write(tarball.header(kind, name, status, status.st_size))
                _copy(output, file, status.st_size)
        finally:
            os.close(file)
        return
    budget.add(0)
    status = os.stat(last, dir_fd=directory, follow_symlinks=False)
    if kind == tarball.DIRECTORY:
        output.write(tarball.header(kind, name + b"/", status))
    else:
        output.write(tarball.header(kind, name, status, link=os.readlink(last, dir_fd=directory)))


def _copy(output, file, size):
    """Exactly as much as the header says: what the file has gained since is left out, what it has lost is zeros."""
    left = size
    while left:
        data = os.read(file, min(left, _CHUNK)) or _ZEROS[:left]
        left -= len(data)
        output.write(data)
    if size % tarball.BLOCK:
        output.write(tarball.padding(size))


def _walk(current, list_entries):
    """(path of its directory, name, kind, descriptor of its directory) for what `list_entries` gives; each directory before what it holds.

    It holds one descriptor, which it closes, however deep it goes.
    """
    trail = []  # (path, own identity, what is still to come) for each directory above the current one
    path = b""
    try:
        ahead = list_entries(current)
        while True:
            if not ahead:
                if not trail:
                    return
                path, identity, ahead = trail.pop()
                current = _replace(current, os.open(b"..", _DIRECTORY, dir_fd=current))
                if _identity(current) != identity:
                    raise RequestError("INTERNAL_ERROR", "A directory was moved while it was packed.")
                continue
            name, kind = ahead.pop()
            if len(path) + len(name) >= tarball.MAX_NAME_BYTES:
                raise RequestError("INVALID_PATH", "The directory holds a path of more than %d bytes." % tarball.MAX_NAME_BYTES)
            yield path, name, kind, current
            if kind == tarball.DIRECTORY:
                try:
                    child = os.open(name, _DIRECTORY, dir_fd=current)
                except (FileNotFoundError, NotADirectoryError):
                    continue
                trail.append((path, _identity(current), ahead))
                path += name + b"/"
                current = _replace(current, child)
                ahead = list_entries(current)
    finally:
        os.close(current)


def _entries(directory):
    """(name, kind) of what is packed, the last first."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            kind = _kind(entry)
            if kind is not None:
                found.append((os.fsencode(entry.name), kind))
    found.sort(reverse=True)
    return found


def _kind(entry):
    """None where it is not packed."""
    if entry.name.startswith(_TEMPORARY):
        return None
    if entry.is_file(follow_symlinks=False):
        return tarball.FILE
    if entry.is_dir(follow_symlinks=False):
        return tarball.DIRECTORY
    return tarball.SYMLINK if entry.is_symlink() else None


def _identity(directory):
    status = os.fstat(directory)
    return status.st_dev, status.st_ino


def _replace(old, new):
    os.close(old)
    return new


class _Output:
    """Sends in frames that are as full as they may be."""

    def __init__(self, link, gzip):
        self._link = link
        self._pending = bytearray()
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, 31) if gzip else None

    def write(self, data):
        self._pending += data if self._gzip is None else self._gzip.compress(data)
        if len(self._pending) >= _CHUNK:
            self._link.send_output(self._pending)
            self._pending = bytearray()

    def finish(self):
        if self._gzip is not None:
            self._pending += self._gzip.flush()
        self._link.send_output(self._pending)
