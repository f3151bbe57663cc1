"""The output of a job, as far as it is kept."""


class Ring:
    """The last bytes of a stream, by their offset from its beginning."""

    full = False  # the command never waits: the oldest goes

    def __init__(self):
        self.start = 0  # offset of the oldest byte that is kept
        self._bytes = bytearray()

    def add(self, chunk):
        self._bytes += chunk

    def end(self):
        pass

    def __len__(self):
        return len(self._bytes)

    @property
    def stop(self):
        """How many bytes the stream has had in all."""
        return self.start + len(self._bytes)

    def drop(self, size):
        del self._bytes[:size]
        self.start += size

    def read(self, offset, limit):
        """(offset of the first byte, bytes): from `offset` or, where that is dropped already, from the oldest that is kept."""
        first = max(offset, self.start)
        begin = first - self.start
        return first, bytes(memoryview(self._bytes)[begin : begin + limit])
