"""The output of a job, as far as its keeper holds it."""

_BLOCK = 64 << 10


class Ring:
    """Holds the last bytes of a stream, by their offset from its beginning.

    They are in blocks of one size. A byte is written once and never moved, so that readers can have
    views of the blocks. A block that is dropped lives on as long as a reader has a view of it.
    """

    full = False  # the command never has to wait, because the keeper drops the oldest bytes

    def __init__(self):
        self.start = 0  # offset of the oldest byte that is here
        self.stop = 0  # how many bytes the stream has had in all
        self._blocks = {}  # block number n begins with the byte at n * _BLOCK

    def add(self, chunk):
        view = memoryview(chunk)
        while view:
            number, at = divmod(self.stop, _BLOCK)
            if at == 0:
                self._blocks[number] = bytearray(_BLOCK)
            size = min(len(view), _BLOCK - at)
            self._blocks[number][at : at + size] = view[:size]
            self.stop += size
            view = view[size:]

    def end(self):
        pass

    def __len__(self):
        return self.stop - self.start

    def drop(self, size):
        first = self.start // _BLOCK
        self.start += size
        for number in range(first, self.start // _BLOCK):
            del self._blocks[number]

    def read(self, offset, limit):
        """Returns (offset of the first byte, list of views), from `offset` on.

        If the bytes at `offset` are dropped already, it begins with the oldest byte that is here.
        """
        first = position = max(offset, self.start)
        stop = min(self.stop, first + limit)
        views = []
        while position < stop:
            views.append(self.view(position, stop - position))
            position += len(views[-1])
        return first, views

    def view(self, offset, limit):
        """Returns a view of the bytes from `offset` on, at most to the end of their block.

        There has to be a byte at `offset`.
        """
        number, at = divmod(offset, _BLOCK)
        return memoryview(self._blocks[number])[at : at + min(limit, self.stop - offset)]
