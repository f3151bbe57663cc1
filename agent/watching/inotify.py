"""inotify(7), which no module of the standard library has."""

import ctypes
import errno
import os
import struct

MODIFY = 0x2
ATTRIB = 0x4
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
UNMOUNT = 0x2000
Q_OVERFLOW = 0x4000
IGNORED = 0x8000
ISDIR = 0x40000000

_ONLYDIR = 0x01000000
_EXCL_UNLINK = 0x04000000  # no event of a file that has lost its name, and is still open
_MASK = MODIFY | ATTRIB | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF | _ONLYDIR | _EXCL_UNLINK
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, size of the name with its NULs
_READ_BYTES = 16 << 10  # so that a flood of events does not hold up the other streams
_LARGEST = _EVENT.size + 256

_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """An instance. The host has few of them for all its sandboxes, so a relay takes one alone."""

    def __init__(self):
        """Raises OSError."""
        self._fd = _call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self):
        return self._fd

    def close(self):
        os.close(self._fd)

    def add(self, directory):
        """Watches an open directory. Returns the number of the watch, the same for the same one.

        Raises OSError: ENOSPC if the host has no more watches, EACCES if it may not be read.
        """
        return _call("inotify_add_watch", self._fd, b"/proc/self/fd/%d" % directory, ctypes.c_uint32(_MASK))

    def remove(self, watch):
        try:
            _call("inotify_rm_watch", self._fd, watch)
        except OSError:
            pass  # it has gone with its directory

    def read(self):
        """Returns ([(watch, mask, cookie, name)], whether there may be more). The name is bytes."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return [], False
        events = []
        position = 0
        while position < len(data):
            watch, mask, cookie, size = _EVENT.unpack_from(data, position)
            position += _EVENT.size
            events.append((watch, mask, cookie, data[position : position + size].rstrip(b"\0")))
            position += size
        return events, len(data) > _READ_BYTES - _LARGEST


def _call(name, *arguments):
    function = getattr(_libc, name, None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    result = function(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
