"""Puts the entries of an archive into a directory."""

import os
import stat

from archives import tarball
from files import paths

_MAX_REMEMBERED_BYTES = 4 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ArchiveTree:
    """The directory that the entries go into. It works by descriptors, and follows no link in it.

    It does not matter whether the archive or a command has put the link there.
    """

    def __init__(self, root):
        self._root = root
        self._current = os.dup(root)
        self._path = b""
        # That path as the archive wrote it. Most entries lie in the same directory as the one
        # before.
        self._spelled = b""
        # Times of directories. They are set at the end, because each new entry changes them.
        self._times = {}
        self._remembered = 0

    def close(self):
        os.close(self._current)

    def add(self, entry, source):
        name = entry.name
        path, _, last = name.rpartition(b"/")
        if path != self._spelled or last in (b"", b".", b"..") or len(last) > 255 or name.startswith(b"/"):
            names = _names(name)
            if not names:
                if entry.kind != tarball.DIRECTORY:
                    raise tarball.refused("has an entry without a name", name)
                return
            last = names.pop()
            self._enter(names, name)
            if name.endswith(last):
                self._spelled = path
        elif b"\0" in last:
            raise tarball.refused("has a name with a NUL", name)
        try:
            self._put(entry, last, source)
        except FileExistsError:
            self._replace(entry, last, source)

    def _replace(self, entry, last, source):
        """Puts an entry in the place of an earlier one of the same name. Directories are joined."""
        try:
            os.close(paths.open_directory(last, self._current))
            is_directory = True
        except OSError:
            is_directory = False
        if is_directory != (entry.kind == tarball.DIRECTORY):
            raise tarball.refused("has a directory and another entry of one name", entry.name)
        if is_directory:
            self._remember(entry)
            return
        os.unlink(last, dir_fd=self._current)
        self._put(entry, last, source)

    def _put(self, entry, last, source):
        kind = entry.kind
        directory = self._current
        if kind == tarball.FILE:
            file = os.open(last, _NEW_FILE, entry.mode, dir_fd=directory)
            try:
                size = entry.size
                if size:
                    source.copy(size, file)
                os.utime(file, (entry.mtime, entry.mtime))
            finally:
                os.close(file)
        elif kind == tarball.DIRECTORY:
            os.mkdir(last, entry.mode | 0o700, dir_fd=directory)
            self._remember(entry)
        elif kind == tarball.SYMLINK:
            self._check_target(entry)
            os.symlink(entry.link, last, dir_fd=directory)
            os.utime(last, (entry.mtime, entry.mtime), dir_fd=directory, follow_symlinks=False)
        else:
            self._link(entry, last)

    def _check_target(self, entry):
        """Refuses a link that may lead out of the archive.

        `..` may lead up from the link's own directory, which is known. It may not follow a name,
        because that name may be a link itself.
        """
        target = entry.link
        parts = [part for part in target.split(b"/") if part not in (b"", b".")]
        up = 0
        while up < len(parts) and parts[up] == b"..":
            up += 1
        depth = self._path.count(b"/") + 1 if self._path else 0
        if not target or b"\0" in target or len(target) >= tarball.MAX_NAME_BYTES:
            raise tarball.refused("has a link without a usable target", entry.name)
        if target.startswith(b"/") or up > depth or b".." in parts[up:]:
            raise tarball.refused("has a link that may lead out of it", entry.name)

    def _link(self, entry, last):
        names = _names(entry.link)
        here = os.dup(self._current)
        try:
            path, spelled = self._path, self._spelled
            if not names:
                raise tarball.refused("has a hard link to no file of its own", entry.name)
            try:
                self._enter(names[:-1], entry.link, make=False)
                file = os.open(names[-1], os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._current)
                try:
                    if not stat.S_ISREG(os.fstat(file).st_mode):
                        raise FileNotFoundError
                    os.link(names[-1], last, src_dir_fd=self._current, dst_dir_fd=here, follow_symlinks=False)
                finally:
                    os.close(file)
            except FileNotFoundError:
                raise tarball.refused("has a hard link to no file of its own", entry.name)
        finally:
            os.close(self._current)
            self._current, self._path, self._spelled = here, path, spelled

    def _enter(self, names, shown, make=True):
        """Goes to that directory, and makes the missing ones on the way unless `make` is off."""
        current = os.dup(self._root)
        try:
            for name in names:
                try:
                    below = paths.open_directory(name, current)
                except FileNotFoundError:
                    if not make:
                        raise
                    os.mkdir(name, 0o755, dir_fd=current)
                    below = paths.open_directory(name, current)
                except NotADirectoryError:
                    raise tarball.refused("has an entry whose path leads through a file or link", shown)
                os.close(current)
                current = below
        except BaseException:
            os.close(current)
            raise
        os.close(self._current)
        self._current = current
        self._path = b"/".join(names)
        self._spelled = self._path

    def _remember(self, entry):
        """Notes a directory's time for set_times.

        The memory for the names is bounded. Directories over the bound get the time of the
        unpacking.
        """
        if self._remembered < _MAX_REMEMBERED_BYTES:
            self._remembered += len(entry.name) + 200
            self._times[entry.name] = entry.mtime

    def set_times(self):
        # Nothing is made below the root any more, so the order does not matter.
        for name, mtime in self._times.items():
            names = _names(name)
            try:
                self._enter(names, name, make=False)
                os.utime(self._current, (mtime, mtime))
            except FileNotFoundError:
                pass  # a command has removed it


def _names(path):
    """Returns the names (bytes) that a path of the archive leads through."""
    if path.startswith(b"/"):
        raise tarball.refused("has an absolute name", path)
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise tarball.refused("has a name with `..`", path)
    if b"\0" in path or len(path) > tarball.MAX_NAME_BYTES or any(len(name) > 255 for name in names):
        raise tarball.refused("has a name that is too long, or has a NUL", path)
    return names
