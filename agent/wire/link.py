"""A worker's end of the socket to its router: one request at a time, with its flow control."""

import os
import select

from wire import frames
from wire.errors import Cancelled, ChannelClosed
from wire.outbox import Outbox


class Link:
    """Receiving raises Cancelled once the host has cancelled the request; everything raises ChannelClosed once the router is gone."""

    def __init__(self, fd):
        os.set_blocking(fd, False)
        self.fd = fd
        self.request_id = 0
        self.credit = 0  # bytes of output that the host will still take
        self.unsent = Outbox(fd)
        self.afterwards = None  # what an operation leaves to be done once its END is out
        self._reader = frames.Reader(fd)
        self._pending = []

    def next_request(self):
        """Blocks until there is a request: its payload."""
        while True:
            for index, (kind, request_id, payload) in enumerate(self._pending):
                if kind == frames.REQUEST:
                    del self._pending[: index + 1]
                    self.request_id = request_id
                    self.credit = frames.WINDOW
                    return bytes(payload)
            self._pending = []  # frames of an earlier request, which crossed its END
            self._wait(select.POLLIN)
            self._read()

    @property
    def pending(self):
        """Whether receive() has something for sure, though the descriptor may not be readable."""
        return bool(self._pending)

    def receive(self):
        """Takes what is there, without blocking: the payloads of DATA (bytes or views), and None for EOF."""
        self._read()
        taken = []
        for kind, request_id, payload in self._pending:
            if request_id != self.request_id:
                continue
            if kind == frames.CANCEL:
                raise Cancelled
            if kind == frames.CREDIT:
                self.credit += int.from_bytes(payload, "big")
            elif kind == frames.DATA:
                taken.append(payload)
            elif kind == frames.EOF:
                taken.append(None)
        self._pending = []
        return taken

    def wait_input(self):
        """Blocks until receive() has something, and takes it."""
        taken = self.receive()
        while not taken:
            self._wait(select.POLLIN)
            taken = self.receive()
        return taken

    def queue(self, *pieces):
        """Puts them behind what is unsent, for flush() or finish() to send. They are not copied."""
        self.unsent.add(*pieces)

    def queue_output(self, payload, kind):
        """Queues a frame of output, for which there has to be credit."""
        self.credit -= len(payload)
        self.unsent.add(frames.header(kind, self.request_id, payload), payload)

    def flush(self):
        """Sends what the socket takes now; whether that was all."""
        try:
            return self.unsent.flush()
        except OSError:
            raise ChannelClosed

    def send_output(self, data, kind=frames.OUT):
        """Sends it, blocking for credit and for the router."""
        view = memoryview(data)
        while view:
            self.receive()
            while not (self.flush() and self.credit):
                self._wait(select.POLLIN | select.POLLOUT if self.unsent else select.POLLIN)
                self.receive()
            size = min(len(view), self.credit, frames.MAX_AGENT_PAYLOAD)
            self.queue_output(view[:size], kind)
            view = view[size:]

    def grant(self, size):
        """Lets the host send so many more bytes of DATA."""
        self.queue(frames.frame(frames.DATA_CREDIT, self.request_id, size.to_bytes(4, "big")))
        self.flush()

    def finish(self, data):
        """Sends the last frames of a request, blocking."""
        self.queue(data)
        while not self.flush():
            self._wait(select.POLLOUT)

    def close(self):
        os.close(self.fd)

    def _wait(self, events):
        poll = select.poll()
        poll.register(self.fd, events)
        poll.poll()

    def _read(self):
        try:
            self._pending += self._reader.read()
        except BlockingIOError:
            return
        except (EOFError, OSError):
            raise ChannelClosed
