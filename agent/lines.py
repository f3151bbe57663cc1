"""Where lines of a file stand in it."""

import os

from errors import RequestError

_CHUNK = 256 << 10


def span(link, file, first, last):
    """(offset, length) of the lines `first` to `last`, from 1 and both included; to the end of the file where it has fewer or `last` is None.

    Lines end with a newline, the last one perhaps without. An empty file has a first line, an empty one.
    """
    start = 0 if first == 1 else None
    line = 1  # the one that `position` is in
    position = 0
    while True:
        chunk = os.pread(file, _CHUNK, position)
        if not chunk:
            return _to_the_end(start, position)
        at = 0
        while True:
            end = chunk.find(b"\n", at) + 1
            if not end:
                break
            if line == last:
                return start, position + end - start
            line += 1
            at = end
            if line == first:
                start = position + end
        position += len(chunk)
        link.receive()


def _to_the_end(start, size):
    if start is None or start == size and size:
        raise RequestError("RANGE_NOT_SATISFIABLE", "The file has fewer lines.")
    return start, size - start
