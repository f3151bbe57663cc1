"""Finds lines of a file by their numbers."""

import os

from wire.errors import RequestError

_CHUNK = 256 << 10
# By the first two bytes of a file in UTF-16: the newline in it.
_UTF16_NEWLINES = {b"\xff\xfe": b"\n\0", b"\xfe\xff": b"\0\n"}


def span(channel, file, size, first, last, most):
    """Returns (offset, length) of the lines `first` to `last`, from 1 and both included.

    If `last` is None or the file has fewer lines, they go to the end of the file. A line ends with
    a newline, but the last one need not. An empty file has one line, which is empty. The file may
    have any size: it is read in pieces, and no further than the lines go. Raises FILE_TOO_LARGE
    once they are over `most` bytes (0: no bound).
    """
    newline = _UTF16_NEWLINES.get(os.pread(file, 2, 0), b"\n")
    start = _after(channel, file, newline, 0, first - 1) if first > 1 else 0
    if start is None or start >= size > 0:
        raise RequestError("RANGE_NOT_SATISFIABLE", "The file has fewer than %d lines." % first)
    end = size if last is None else _after(channel, file, newline, start, last - first + 1, most)
    length = (size if end is None else min(end, size)) - start
    if most and length > most:
        raise _too_long(most)
    return start, length


def _after(channel, file, newline, position, count, most=0):
    """Returns where the line begins that is `count` lines behind the one at `position`.

    None if the file ends before.
    """
    begin = position
    while True:
        chunk = os.pread(file, _CHUNK, position)
        if not chunk:
            return None
        found, end = _newlines(chunk, newline, count)
        if found == count:
            return position + end
        count -= found
        position += len(chunk)
        if most and position - begin > most:
            raise _too_long(most)
        channel.receive()


def _newlines(chunk, newline, most):
    """Returns (how many newlines there are, at most `most`; where the last of them ends).

    In a UTF-16 file, the chunk has to begin with a whole unit.
    """
    width = len(newline)
    if width == 1:
        found = chunk.count(newline)
        if found < most:
            return found, 0  # counted in one step, because a file may have millions of lines
    found = end = 0
    while found < most:
        at = chunk.find(newline, end)
        while at > 0 and at % width:
            at = chunk.find(newline, at + 1)
        if at < 0:
            break
        found += 1
        end = at + width
    return found, end


def _too_long(most):
    return RequestError("FILE_TOO_LARGE", "These lines have more than %d bytes: ask for fewer." % most)
