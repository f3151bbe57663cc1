"""How much a call may write where PID 1 bounds the disk."""

from processes import disk_limits
from wire.errors import RequestError

# PID 1 does not see what other calls are writing, until it looks. It is asked to after so much.
_TELL_BYTES = 16 << 20


class DiskRoom:
    def __init__(self):
        """Raises RequestError STORAGE_FULL if the workspace has no room."""
        self._measured = self._left = disk_limits.free_bytes()
        self._untold = 0
        if self._left is not None and self._left <= 0:
            self._measure_again(1)

    @property
    def is_measured(self):
        return self._left is not None

    def take(self, size):
        """Call it before so many bytes are written. Raises RequestError STORAGE_FULL."""
        if self._left is None:
            return
        if self._left < size or (disk_limits.free_bytes() or 1) <= 0:
            self._measure_again(size)
        self._left -= size
        self._untold += size
        if self._untold >= _TELL_BYTES:
            self._untold = 0
            disk_limits.tell_written()

    def _measure_again(self, size):
        """Goes by a newer measurement, which counts what this call has written so far."""
        free = disk_limits.free_bytes()
        if not self._is_enough(free, size):
            free = disk_limits.measured_again(lambda now: self._is_enough(now, size))
        if not self._is_enough(free, size):
            raise _full()
        self._measured = self._left = free

    def _is_enough(self, free, size):
        return free is not None and free != self._measured and free >= size


def _full():
    return RequestError("STORAGE_FULL", "The workspace has reached the limit of its disk, in bytes or in files: delete some first.")
