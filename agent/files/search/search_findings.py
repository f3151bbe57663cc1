"""What a search has found and skipped, in memory that the worker and the search's process share.

So nothing is lost when that process is killed. The process writes. The worker reads after its end.
"""

import mmap
import struct

from files import file_names, skips
from wire import messages

MAX_ANSWER_BYTES = 4 << 20

_MAX_SKIP_BYTES = 1 << 20
_MAX_PATH_BYTES = 64 << 10  # the longest path, of 100 names below one of 4096 bytes, has half of it
_HEAD = struct.Struct("=QQQQ")  # bytes of matches, matches, bytes of listed skips, skips
_PATH_LENGTH = struct.Struct("=Q")
_PATH_AT = _HEAD.size + _PATH_LENGTH.size
_MATCHES_AT = _PATH_AT + _MAX_PATH_BYTES
_SKIPS_AT = _MATCHES_AT + MAX_ANSWER_BYTES


class Findings:
    """Lines of JSON for the answer, how many there are of each kind, and the path under search."""

    def __init__(self):
        self._memory = mmap.mmap(-1, _SKIPS_AT + _MAX_SKIP_BYTES)
        self._listed_skips = 0

    def close(self):
        self._memory.close()

    # ---- in the search's process

    def look_at(self, path):
        """Notes the path that the search looks at next. `path` is text, as messages carry it."""
        encoded = path.encode("utf-8", "surrogateescape")[:_MAX_PATH_BYTES]
        # If the process is killed while it writes the path, there is none.
        _PATH_LENGTH.pack_into(self._memory, _HEAD.size, 0)
        self._memory[_PATH_AT : _PATH_AT + len(encoded)] = encoded
        _PATH_LENGTH.pack_into(self._memory, _HEAD.size, len(encoded))

    def add_match(self, path, **more):
        """Adds a match. Returns False if the answer has no room for it."""
        line = messages.dumps(dict([file_names.member("path", path)], **more)).encode() + b"\n"
        size, count, skips_size, skipped = _HEAD.unpack_from(self._memory)
        if size + len(line) > MAX_ANSWER_BYTES:
            return False
        self._memory[_MATCHES_AT + size : _MATCHES_AT + size + len(line)] = line
        _HEAD.pack_into(self._memory, 0, size + len(line), count + 1, skips_size, skipped)
        return True

    def add_skip(self, path, reason):
        """Counts a skip, and lists it if it is one of the first."""
        line = skips.line(path, reason)
        size, count, skips_size, skipped = _HEAD.unpack_from(self._memory)
        if self._listed_skips < skips.MAX_LISTED - 1 and skips_size + len(line) <= _MAX_SKIP_BYTES:
            self._memory[_SKIPS_AT + skips_size : _SKIPS_AT + skips_size + len(line)] = line
            skips_size += len(line)
            self._listed_skips += 1
        _HEAD.pack_into(self._memory, 0, size, count, skips_size, skipped + 1)

    # ---- in the worker

    @property
    def matches(self):
        """How many matches there are."""
        return _HEAD.unpack_from(self._memory)[1]

    @property
    def skips(self):
        """How many skips there are, listed or not."""
        return _HEAD.unpack_from(self._memory)[3]

    @property
    def looked_at(self):
        """The path that was noted last, or "" if there is none."""
        (length,) = _PATH_LENGTH.unpack_from(self._memory, _HEAD.size)
        return self._memory[_PATH_AT : _PATH_AT + length].decode("utf-8", "surrogateescape")

    def lines(self, unfinished=None):
        """Returns the answer's lines: skips, then matches.

        `unfinished` is the path that the search was at when its time was over.
        """
        size, _, skips_size, _ = _HEAD.unpack_from(self._memory)
        first = b"" if unfinished is None else skips.line(unfinished, skips.TIMED_OUT)
        return first + self._memory[_SKIPS_AT : _SKIPS_AT + skips_size] + self._memory[_MATCHES_AT : _MATCHES_AT + size]
