"""A command's streams: what is kept of its output, what passes through, and what it is still to be fed."""

import os


class Capture:
    """Keeps the first limit // 2 bytes, to be taken as they come, and the last limit - limit // 2, to be taken after end(); counts the rest.

    Holds at most 1.5 times the limit, whatever the command writes.
    """

    full = False  # it takes whatever comes, and leaves some of it out

    def __init__(self, kind, limit):
        self.kind = kind  # OUT or ERR
        self.omitted = 0
        self._ready = bytearray()
        self._head_room = limit // 2
        self._tail_size = limit - limit // 2
        self._tail = bytearray()

    def __len__(self):
        """Bytes that can be taken now."""
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
        """Nothing is added any more: the tail may go out."""
        self._trim()
        self._ready += self._tail
        self._tail = bytearray()

    def _trim(self):
        excess = len(self._tail) - self._tail_size
        if excess > 0:
            del self._tail[:excess]
            self.omitted += excess


class Passage:
    """Hands on every byte, in order: while it is full, its pipe is not to be read, and so the command waits when it writes."""

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
        self._ready += chunk  # not copied where it comes alone, as nearly all do

    def end(self):
        pass

    @property
    def full(self):
        return len(self._ready) >= self._ROOM


class Feed:
    """Writes a command's stdin without blocking. What the command will not read any more counts as written."""

    def __init__(self, write_end):
        os.set_blocking(write_end, False)
        self.fd = write_end  # None once closed
        self.ended = False  # nothing more is added
        self._data = bytearray()

    def add(self, data):
        """Takes a piece, or None for the end; how many bytes are done with."""
        if data is None:
            self.ended = True
        else:
            self._data += data
        return self.write()

    def __len__(self):
        return len(self._data)

    @property
    def waiting(self):
        """Whether the command has to read before more can be written."""
        return self.fd is not None and bool(self._data)

    def write(self):
        """Writes what the pipe takes; how many bytes are done with."""
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
