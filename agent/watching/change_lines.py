"""The lines that tell the host of changes, as far as it takes them (PROTOCOL.md, "watch")."""

from _collections import deque  # see processes/waiting.py

from files import file_names
from wire import messages

CREATE, MODIFY, REMOVE, RENAME, CHMOD = "create", "modify", "remove", "rename", "chmod"
OVERFLOW, TOO_MANY_DIRECTORIES, TOO_DEEP, NOT_READABLE = "overflow", "too_many_directories", "too_deep", "not_readable"

_MAX_BYTES = 128 << 10  # that wait for the host
_REPEATABLE = (MODIFY, CHMOD)


class ChangeLines:
    """Past its bound it drops all lines until it is empty. Then it says that some were lost."""

    def __init__(self):
        self._lines = deque()
        self._size = 0
        self._dropping = False
        # Of the lines that wait, those that need not be told again. No path has changed its file
        # since.
        self._repeatable = set()

    def __bool__(self):
        return bool(self._lines)

    def change(self, kind, path, is_dir, origin=None):
        """Paths are bytes, from the watched directory."""
        members = {"type": kind, "is_dir": is_dir}
        _put(members, "path", path)
        if origin is not None:
            _put(members, "from", origin)
        line = _line(members)
        if kind not in _REPEATABLE:
            self._repeatable.clear()
        elif line in self._repeatable:
            return
        else:
            self._repeatable.add(line)
        self._add(line)

    def lost(self, reason, path=None):
        """`path`: of the directory whose changes will not be told."""
        members = {"lost": reason}
        if path is not None:
            _put(members, "path", path)
        self._add(_line(members))

    def ready(self):
        """Goes before all that waits."""
        line = _line({"ready": True})
        self._lines.appendleft(line)
        self._size += len(line)

    def take(self, size):
        """Returns the next bytes, at most so many."""
        self._repeatable.clear()
        taken = []
        while self._lines and size > 0:
            line = self._lines.popleft()
            if len(line) > size:
                self._lines.appendleft(line[size:])
                line = line[:size]
            taken.append(line)
            size -= len(line)
            self._size -= len(line)
        if self._dropping and not self._lines:
            self._dropping = False
            self.lost(OVERFLOW)
        return b"".join(taken)

    def _add(self, line):
        if self._dropping or self._size + len(line) > _MAX_BYTES:
            self._dropping = True
            return
        self._lines.append(line)
        self._size += len(line)


def _put(members, key, path):
    key, value = file_names.member(key, path.decode("utf-8", "surrogateescape"))
    members[key] = value


def _line(members):
    return messages.dumps(members).encode() + b"\n"
