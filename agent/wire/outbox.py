"""Bytes that wait to be written to a descriptor that does not block."""

import os
from itertools import islice

from _collections import deque  # see processes/waiting.py

_PIECES_AT_A_TIME = 64  # the kernel takes no more than 1,024 in one call


class Outbox:
    """It does not copy pieces, so the caller must not change one that it has added."""

    def __init__(self, fd):
        self._fd = fd
        self._pieces = deque()
        self._size = 0

    def __len__(self):
        """Returns how many bytes wait."""
        return self._size

    def add(self, *pieces):
        for piece in pieces:
            if piece:
                self._pieces.append(piece)
                self._size += len(piece)

    def flush(self):
        """Writes what the descriptor takes now. Returns whether that was all.

        Raises OSError if its other end is closed.
        """
        while self._size:
            try:
                written = os.writev(self._fd, list(islice(self._pieces, _PIECES_AT_A_TIME)))
            except BlockingIOError:
                return False
            self._size -= written
            self._drop(written)
        return True

    def _drop(self, size):
        pieces = self._pieces
        while size:
            first = pieces.popleft()
            if len(first) > size:
                pieces.appendleft(memoryview(first)[size:])
                return
            size -= len(first)
