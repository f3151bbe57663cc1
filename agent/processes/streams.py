"""A command's streams: its output, kept in part or passed on whole, and its input."""

import os


class Capture:
    """Keeps the first limit // 2 and the last limit - limit // 2 bytes. Counts the rest.

    The first can be taken as they come, the last after end(). It holds at most 1.5 times the limit,
    whatever the command writes.
    """

    full = False  # the command never waits, because this takes all that comes

    def __init__(self, kind, limit):
        self.kind = kind  # OUT or ERR
        self.omitted = 0
        self._ready = bytearray()
        self._head_room = limit // 2
        self._tail_size = limit - limit // 2
        self._tail = bytearray()

    def __len__(self):
        """Returns how many bytes can be taken now."""
        return len(self._ready)

    def take(self, size):
        taken = bytes(memoryview(self._ready)[:size])
        del self._ready[:size]
        return taken

    def add(self, chunk):
        if self._head_room:
            head = chunk[: self._head_room]
            self._head_room -= len(head)
            self._ready += head
            chunk = chunk[len(head) :]
        if chunk:
            self._tail += chunk
            if len(self._tail) > 2 * self._tail_size:
                self._trim()

    def end(self):
        """Makes the last bytes ready to be taken. Call it when nothing is added any more."""
        self._trim()
        self._ready += self._tail
        self._tail = bytearray()

    def _trim(self):
        excess = len(self._tail) - self._tail_size
        if excess > 0:
            del self._tail[:excess]
            self.omitted += excess


class Passage:
    """Passes on every byte, in order.

    While it is full, its pipe must not be read. So the command waits when it writes.
    """

    omitted = 0
    _ROOM = 64 << 10

    def __init__(self, kind):
        self.kind = kind
        self._ready = b""

    def __len__(self):
        return len(self._ready)

    def take(self, size):
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    def add(self, chunk):
        self._ready += chunk  # not copied if nothing is there yet, as nearly always

    def end(self):
        pass

    @property
    def full(self):
        return len(self._ready) >= self._ROOM


class Feed:
    """Writes a command's stdin without blocking.

    What the command will not read any more counts as done, as if it were written.
    """

    def __init__(self, write_end):
        os.set_blocking(write_end, False)
        self.fd = write_end  # None once it is closed
        self.ended = False  # nothing more is added
        self._data = bytearray()

    def add(self, data):
        """Takes a piece, or None for the end. Returns how many bytes are done."""
        if data is None:
            self.ended = True
        else:
            self._data += data
        return self.write()

    def __len__(self):
        return len(self._data)

    @property
    def waiting(self):
        """Returns whether the command has to read before more can be written."""
        return self.fd is not None and bool(self._data)

    def write(self):
        """Writes what the pipe takes. Returns how many bytes are done."""
        done = 0
        try:
            while self.fd is not None and done < len(self._data):
                done += os.write(self.fd, memoryview(self._data)[done:])
        except BlockingIOError:
            pass
        except OSError:  # the command has closed its end
            self.close()
        if self.fd is None:
            done = len(self._data)
        del self._data[:done]
        if self.ended and not self._data:
            self.close()
        return done

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None
