"""Workspace paths, resolved by directory descriptors.

So no link leads outside the workspace, also none that a command puts there during the call.
"""

import errno
import os

from wire.errors import RequestError

ROOT = b"/workspace"
MAX_PATH_BYTES = 4096
MAX_LINKS = 40  # the kernel's own limit

_DIRECTORY = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


def components(path):
    """Returns the names (bytes) of a workspace-relative path. [] is the root.

    Raises RequestError INVALID_PATH.
    """
    try:
        encoded = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise RequestError("INVALID_PATH", "The path is not valid Unicode.")
    if not encoded:
        return []
    names = encoded.split(b"/")
    if len(encoded) > MAX_PATH_BYTES or b"\0" in encoded or any(name in (b"", b".", b"..") for name in names):
        raise RequestError("INVALID_PATH", "The path has an empty, `.` or `..` part, a NUL, or over %d bytes." % MAX_PATH_BYTES)
    return names


class Place:
    """A name in an open directory of the workspace. The name `.` is the directory itself."""

    def __init__(self, directory, name):
        self.directory = directory  # an O_PATH descriptor
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.close(self.directory)

    def open(self, flags, mode=0o600):
        """Opens it. Follows no link, and does not wait for a device or for a FIFO's other end."""
        return os.open(self.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, mode, dir_fd=self.directory)

    def open_directory(self):
        return open_directory(self.name, self.directory)

    def stat(self):
        return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)


def open_directory(name, parent):
    """Returns a descriptor to read the directory by. Raises NotADirectoryError if it is a link.

    It takes two steps. With O_DIRECTORY and O_NOFOLLOW but without O_PATH, a kernel may follow a
    link; gVisor's does.
    """
    handle = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        return os.open(b"/proc/self/fd/%d" % handle, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(handle)


def resolve(path, follow_last=True, make_parents=False):
    """Returns the Place of a workspace-relative path. Nothing need be at its last name.

    Follows links that lead inside, also at the last name unless `follow_last` is off. An absolute
    target is inside if it begins with the workspace's own path. Raises RequestError
    (PATH_OUTSIDE_WORKSPACE, or INVALID_PATH after MAX_LINKS links) and OSError.
    """
    walk = _Walk()
    try:
        walk.follow(components(path), follow_last, make_parents)
    except BaseException:
        os.close(walk.directory)
        raise
    return Place(walk.directory, walk.last)


class _Walk:
    """Goes down name by name.

    It holds one descriptor, however deep it is, and the names that led there from the root.
    """

    def __init__(self):
        self.directory = os.open(ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.last = b"."
        self._trail = []
        self._links = 0

    def follow(self, names, follow_last, make_parents):
        ahead = names[::-1]
        while ahead:
            name = ahead.pop()
            is_last = not ahead
            if name == b"..":
                self._ascend()
            elif is_last and not follow_last:
                self.last = name
            else:
                self._step(name, ahead, is_last, make_parents)

    def _step(self, name, ahead, is_last, make_parents):
        try:
            below = os.open(name, _DIRECTORY, dir_fd=self.directory)
        except NotADirectoryError:
            target = self._read_link(name)
            if target is not None:
                ahead.extend(self._names_of(target)[::-1])
            elif is_last:
                self.last = name
            else:
                raise
        except FileNotFoundError:
            if is_last:
                self.last = name
            elif make_parents:
                self._make(name)
                ahead.append(name)
            else:
                raise
        else:
            if is_last:
                os.close(below)
                self.last = name
            else:
                self._enter(below)
                self._trail.append(name)

    def _read_link(self, name):
        """Returns the target of a link, or None if it is something else."""
        try:
            return os.readlink(name, dir_fd=self.directory)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def _names_of(self, target):
        self._links += 1
        if self._links > MAX_LINKS:
            raise RequestError("INVALID_PATH", "The path leads through more than %d links." % MAX_LINKS)
        names = [name for name in target.split(b"/") if name not in (b"", b".")]
        if target.startswith(b"/"):
            root = ROOT.strip(b"/").split(b"/")
            if names[: len(root)] != root:
                raise _outside()
            names = names[len(root) :]
            self._trail = []
            self._enter(_open_trail([]))
        return names

    def _ascend(self):
        """Goes back to the parent that the path came through, by name from the root.

        The directory's own `..` may be elsewhere, because a command may have moved the directory.
        """
        if not self._trail:
            raise _outside()
        self._trail.pop()
        self._enter(_open_trail(self._trail))

    def _enter(self, directory):
        os.close(self.directory)
        self.directory = directory

    def _make(self, name):
        try:
            os.mkdir(name, 0o755, dir_fd=self.directory)
        except FileExistsError:
            pass


def _open_trail(names):
    directory = os.open(ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in names:
        try:
            below = os.open(name, _DIRECTORY, dir_fd=directory)
        finally:
            os.close(directory)
        directory = below
    return directory


def _outside():
    return RequestError("PATH_OUTSIDE_WORKSPACE", "The path leads through a link to a place outside the workspace.")


def identity(directory):
    """Returns what tells an open directory from any other, also after it was moved."""
    status = os.fstat(directory)
    return status.st_dev, status.st_ino


def exchange(old, new):
    """Closes the old descriptor, and returns the new one."""
    os.close(old)
    return new
