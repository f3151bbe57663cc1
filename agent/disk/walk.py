"""One measurement of the workspace."""

import errno
import os
import stat
import time

# No program has a reason for more levels. A tree that has them counts as full.
_MAX_DEPTH = 400
# Files with several names are counted once, as long as no more of them have to be remembered.
_MAX_LINKED = 200_000
_MAX_CLOSED = 1_000
# A program that closes a directory for a moment, as tests do, is left alone.
CLOSED_SECONDS = 1.0
BLOCK = 512  # the unit of st_blocks, in bytes
_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = 0o500  # what the owner needs to look into a directory


class Walk:
    """One measurement. `bytes` is what the files and directories take on the disk."""

    def __init__(self, closed, max_bytes, max_entries, closed_seconds=CLOSED_SECONDS):
        """It ends early past one of the two. `closed` is the `closed` of the walk before.

        It looks into no directory that was closed less than `closed_seconds` ago.
        """
        self.bytes = self.entries = 0
        self.too_deep = False
        self.unsettled = False  # it did not look into a directory that was closed just now
        # Of directories that their permissions close, by inode: (ctime, bytes, entries).
        self.closed = {}
        self._known = closed
        self._limits = max_bytes, max_entries
        self._closed_seconds = closed_seconds
        self._linked = set()
        self._levels = []  # (descriptor, entries, how to close it again, or None)

    def run(self, root):
        if stat.S_IMODE(os.stat(root).st_mode) & _OPEN != _OPEN:
            os.chmod(root, 0o700)  # without its workspace the session is of no use
        self._enter(os.open(root, os.O_RDONLY | _DIRECTORY), None)
        try:
            while self._levels and not self._is_past():
                self._step()
        finally:
            while self._levels:
                self._leave(whole=False)
        return self

    def _is_past(self):
        return self.too_deep or self.bytes > self._limits[0] or self.entries > self._limits[1]

    def _step(self):
        directory, entries, _ = self._levels[-1]
        try:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    self._descend(entry.name, directory)
                    return
                self._count(entry)
                if self._is_past():
                    return
        except OSError:
            pass  # the directory is gone
        self._leave(whole=True)

    def _count(self, entry):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        if status.st_nlink > 1:
            if status.st_ino in self._linked:
                return
            if len(self._linked) < _MAX_LINKED:
                self._linked.add(status.st_ino)
        self.entries += 1
        self.bytes += status.st_blocks * BLOCK

    def _descend(self, name, parent):
        if len(self._levels) >= _MAX_DEPTH:
            self.too_deep = True
            return
        try:
            directory = os.open(name, os.O_RDONLY | _DIRECTORY, dir_fd=parent)
            if os.fstat(directory).st_mode & _OPEN == _OPEN:
                self._enter(directory, None)
                return
            os.close(directory)  # its entries can be listed, and not looked at
        except PermissionError:
            pass
        except OSError as error:
            self.too_deep = self.too_deep or error.errno == errno.EMFILE
            return
        try:
            self._descend_closed(name, parent)
        except OSError as error:
            self.too_deep = self.too_deep or error.errno == errno.EMFILE

    def _descend_closed(self, name, parent):
        """Opens a directory to its owner for as long as it is measured. Once for each change."""
        handle = os.open(name, os.O_PATH | _DIRECTORY, dir_fd=parent)
        try:
            status = os.fstat(handle)
            ctime, size, entries = self._known.get(status.st_ino, (None, 0, 0))
            if ctime == status.st_ctime_ns:
                self.bytes += size
                self.entries += entries
                self._remember(status.st_ino, (ctime, size, entries))
            elif time.time() - status.st_ctime < self._closed_seconds:
                self.unsettled = True
            else:
                self._enter_closed("/proc/self/fd/%d" % handle, status)
        finally:
            os.close(handle)

    def _enter_closed(self, path, status):
        mode = stat.S_IMODE(status.st_mode)
        os.chmod(path, mode | 0o700)
        try:
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._enter(directory, (mode, status.st_ino, self.bytes, self.entries))
        except OSError:
            os.chmod(path, mode)
            raise

    def _enter(self, directory, closing):
        try:
            entries = os.scandir(directory)
        except OSError:
            os.close(directory)
            raise
        self._levels.append((directory, entries, closing))
        self.entries += 1
        self.bytes += os.fstat(directory).st_blocks * BLOCK

    def _leave(self, whole):
        directory, entries, closing = self._levels.pop()
        entries.close()
        if closing is not None:
            mode, inode, size, count = closing
            os.fchmod(directory, mode)
            if whole:
                self._remember(inode, (os.fstat(directory).st_ctime_ns, self.bytes - size, self.entries - count))
        os.close(directory)

    def _remember(self, inode, found):
        if len(self.closed) < _MAX_CLOSED:
            self.closed[inode] = found
