"""The lines of a file as text, whatever its encoding is.

A line of most files is UTF-8. A line that is not is given in two readings, because the pattern may
be in either. UTF-16 and UTF-32 are known by their byte order marks, and UTF-16 also by the places
of its NULs.
"""

import os

MAX_LINE_BYTES = 1 << 20
MAX_BINARY_BYTES = 8 << 20

_BLOCK = 256 << 10
_HEAD_BYTES = 8 << 10
_UTF8_MARK = b"\xef\xbb\xbf"
# The longer marks come first, because that of UTF-32 begins with one of UTF-16.
_WIDE_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class TextFile:
    """A regular file that is open for reading. `file` is its descriptor."""

    def __init__(self, file):
        self._file = file
        self._first = os.read(file, _BLOCK)
        head = self._first[:_HEAD_BYTES]
        self._wide = _wide_encoding(head)
        self.is_binary = self._wide is None and b"\0" in head

    def is_large(self):
        return os.fstat(self._file).st_size > MAX_BINARY_BYTES

    def lines(self, literal=None):
        """Yields (number, readings without the line's end, whether that is all of the line).

        With a `literal`, which is ASCII, it may leave out lines that do not contain it.
        """
        if self._wide is None:
            return _lines(_blocks(self._file, self._first), literal)
        os.lseek(self._file, 0, os.SEEK_SET)
        return _wide_lines(self._file, self._wide)


def _wide_encoding(head):
    for mark, encoding in _WIDE_MARKS:
        if head.startswith(mark):
            return encoding
    # Text in UTF-16 that is mostly ASCII has NULs in every second byte, and nowhere else.
    nuls = head[0::2].count(0), head[1::2].count(0)
    if nuls[0] == 0 and nuls[1] * 4 > len(head):
        return "utf-16-le"
    if nuls[1] == 0 and nuls[0] * 4 > len(head):
        return "utf-16-be"
    return None


def _blocks(file, data):
    """Yields pieces of the file that end with a line. The first begins with `data`.

    Of a line that is too long it yields the beginning alone, in a piece of its own.
    """
    rest = b""
    while data:
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        else:
            rest += data
        if len(rest) > MAX_LINE_BYTES + 1:  # with the carriage return of its end
            yield rest
            rest = _after_line(file)
        data = os.read(file, _BLOCK)
    if rest:
        yield rest


def _after_line(file):
    """Reads to the end of a line. Returns what it has read of the next one."""
    while True:
        data = os.read(file, _BLOCK)
        end = data.find(b"\n") + 1
        if end or not data:
            return data[end:]


def _lines(blocks, literal):
    number = 0
    for block in blocks:
        if literal is not None and literal not in block and len(block) <= MAX_LINE_BYTES:
            number += block.count(b"\n")
            continue
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for line in lines:
            number += 1
            if line.endswith(b"\r"):
                line = line[:-1]
            if number == 1 and line.startswith(_UTF8_MARK):
                line = line[len(_UTF8_MARK) :]
            if len(line) > MAX_LINE_BYTES:
                yield number, _readings(_beginning(line)), False
            elif literal is None or literal in line:
                yield number, _readings(line), True


def _beginning(line):
    """Returns the part of a long line that is searched, without a character that is cut in two."""
    for end in range(MAX_LINE_BYTES, MAX_LINE_BYTES - 4, -1):
        if line[end] & 0xC0 != 0x80:
            return line[:end]
    return line[:MAX_LINE_BYTES]


def _readings(line):
    try:
        return (line.decode("utf-8"),)
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace"), line.decode("cp1252", "replace")


def _wide_lines(file, encoding):
    text = open(file, encoding=encoding, errors="replace", newline="\n", closefd=False)
    most = MAX_LINE_BYTES // 2
    number = 0
    line = text.readline(most)
    while line:
        number += 1
        whole = line.endswith("\n")
        if whole:
            line = line[:-2] if line.endswith("\r\n") else line[:-1]
        else:
            more = text.readline(most)
            whole = not more
            while more and not more.endswith("\n"):
                more = text.readline(most)
        yield number, (line,), whole
        line = text.readline(most)
