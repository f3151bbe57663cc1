"""The bytes of an archive, as they arrive."""

import os
import zlib

from archives import tarball
from archives.tarball import BLOCK

_MAX_TRAILER_BYTES = 1 << 20  # zeros behind the end; writers fill up their last record
# Over 128 KiB, the C library would map and unmap memory for every piece.
_MAX_INFLATED_BYTES = 64 << 10


class ArchiveInput:
    """Inflates the bytes if they begin as gzip does."""

    def __init__(self, channel):
        self._channel = channel
        self._chunks = []
        self._compressed = b""
        self._inflate = None
        self._ended = False
        self.data = b""
        self.position = 0
        while len(self._compressed) < 2 and not self._ended:
            self._compressed += self._receive()
        if self._compressed[:2] == b"\x1f\x8b":
            self._inflate = zlib.decompressobj(31)
        else:
            self.data, self._compressed = self._compressed, b""

    def _receive(self):
        """Returns the next piece as it came, or b"" at the end."""
        while not self._chunks and not self._ended:
            self._chunks = self._channel.wait_input()[::-1]
        chunk = self._chunks.pop() if self._chunks else None
        if chunk is None:
            self._ended = True
            return b""
        self._channel.grant_soon(len(chunk))
        return bytes(chunk)

    def _next(self):
        """Returns the next piece of the tar, or b"" at the end."""
        if self._inflate is None:
            return self._receive()
        while True:
            if self._inflate.eof:
                # Another member may follow, because gzip files may be joined into one.
                self._compressed = self._inflate.unused_data or self._receive()
                if not self._compressed:
                    return b""
                self._inflate = zlib.decompressobj(31)
            data = self._compressed or self._receive()
            if not data:
                raise tarball.refused("is cut off")
            try:
                inflated = self._inflate.decompress(data, _MAX_INFLATED_BYTES)
            except zlib.error:
                raise tarball.refused("is no gzip, or is damaged")
            self._compressed = self._inflate.unconsumed_tail
            if inflated:
                return inflated

    def fill(self):
        """Makes `data` the next piece. Returns False at the end. Call it when `data` is used up."""
        self.data = self._next()
        self.position = 0
        return bool(self.data)

    def take(self, size):
        start = self.position
        end = start + size
        if end <= len(self.data):
            self.position = end
            return self.data[start:end]
        parts = [self.data[start:]]
        missing = size - len(parts[0])
        while missing:
            if not self.fill():
                raise tarball.refused("is cut off")
            parts.append(self.data[:missing])
            self.position = len(parts[-1])
            missing -= self.position
        return b"".join(parts)

    def copy(self, size, file):
        """Writes that many bytes to the file, and goes on behind the block that they end in."""
        start = self.position
        after = start + size + (-size % BLOCK)
        if after <= len(self.data):
            # Most files have arrived as a whole.
            self.position = after
            written = os.write(file, self.data[start : start + size])
            while written < size:
                written += os.write(file, self.data[start + written : start + size])
            return
        rest = -size % BLOCK
        while size:
            if self.position == len(self.data) and not self.fill():
                raise tarball.refused("is cut off")
            piece = memoryview(self.data)[self.position : self.position + size]
            self.position += len(piece)
            size -= len(piece)
            while piece:
                piece = piece[os.write(file, piece) :]
        self.take(rest)

    def finish(self):
        """Takes the rest of the archive, which has to be zeros."""
        rest = 0
        more = self.data[self.position :]
        while True:
            rest += len(more)
            if more.strip(b"\0") or rest > _MAX_TRAILER_BYTES:
                raise tarball.refused("goes on behind its end")
            if not self.fill():
                return
            more = self.data
