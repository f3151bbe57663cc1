"""The output of a job, as far as its keeper holds it."""


class Ring:
    """Holds the last bytes of a stream, by their offset from its beginning."""

    full = False  # the command never has to wait, because the keeper drops the oldest bytes

    def __init__(self):
        self.start = 0  # offset of the oldest byte that is here
        self._bytes = bytearray()

    def add(self, chunk):
        self._bytes += chunk

    def end(self):
        pass

    def __len__(self):
        return len(self._bytes)

    @property
    def stop(self):
        """Returns how many bytes the stream has had in all."""
        return self.start + len(self._bytes)

    def drop(self, size):
        del self._bytes[:size]
        self.start += size

    def read(self, offset, limit):
        """Returns (offset of the first byte, bytes), from `offset` on.

        If the bytes at `offset` are dropped already, it begins with the oldest byte that is here.
        """
        first = max(offset, self.start)
        begin = first - self.start
        return first, bytes(memoryview(self._bytes)[begin : begin + limit])
