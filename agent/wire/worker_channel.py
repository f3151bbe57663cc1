"""A worker's end of the socket to its router: one request at a time, with flow control."""

import os
import select

from wire import frames
from wire.errors import Cancelled, ChannelClosed
from wire.outbox import Outbox

_BATCH = 128 << 10


class WorkerChannel:
    """What a handler of an operation receives by, and answers by.

    Receiving raises Cancelled once the host has cancelled the request. Every method raises
    ChannelClosed once the router is gone.
    """

    def __init__(self, fd, wakeup):
        os.set_blocking(fd, False)
        self.fd = fd
        self.wakeup = wakeup  # a descriptor that becomes readable when a child of the worker ends
        self.request_id = 0
        self.credit = 0  # bytes of output that the host will still take
        self._ungranted = 0  # bytes of DATA that were taken and not granted anew
        self.unsent = Outbox(fd)
        # An operation may set one of these two: a function to call after its END, or a command that
        # the worker stays with from its END on.
        self.after_end = None
        self.staying = None
        self._reader = frames.Reader(fd)
        self._pending = []

    def next_request(self):
        """Blocks until there is a request. Returns its payload."""
        while True:
            for index, (kind, request_id, payload) in enumerate(self._pending):
                if kind == frames.REQUEST:
                    del self._pending[: index + 1]
                    self.request_id = request_id
                    self.credit = frames.WINDOW
                    self._ungranted = 0
                    return bytes(payload)
            self._pending = []  # frames of an earlier request, which crossed its END
            self._wait(select.POLLIN)
            self._read()

    @property
    def pending(self):
        """Whether receive() has something for sure, though the descriptor may not be readable."""
        return bool(self._pending)

    def receive(self):
        """Takes what has come, without blocking.

        Returns the payloads of DATA (bytes or views), and None for EOF.
        """
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
        """Blocks until receive() has something. Returns that."""
        taken = self.receive()
        while not taken:
            self._grant_rest()
            self._wait(select.POLLIN)
            taken = self.receive()
        return taken

    def queue(self, *pieces):
        """Puts pieces behind what is unsent, for flush() or finish() to send. Copies none."""
        self.unsent.add(*pieces)

    def queue_output(self, payload, kind):
        """Queues a frame of output. The caller has checked that there is credit for it."""
        self.credit -= len(payload)
        self.unsent.add(frames.header(kind, self.request_id, payload), payload)

    def flush(self):
        """Sends what the socket takes now. Returns whether that was all."""
        try:
            return self.unsent.flush()
        except OSError:
            raise ChannelClosed

    def send_output(self, data, kind=frames.OUT, more=False):
        """Sends data. Blocks until the host has given credit, and the router has taken all but the
        last frame.

        `more` says that the caller has more output at once. Then up to _BATCH bytes wait for that,
        because a write of several frames costs little more than that of one.
        """
        view = memoryview(data)
        while view:
            wanted = min(len(view), frames.MAX_AGENT_PAYLOAD)
            if self.credit < wanted or not more or len(self.unsent) >= _BATCH:
                self._make_room(wanted)
            size = min(wanted, self.credit)
            self.queue_output(view[:size], kind)
            view = view[size:]

    def _make_room(self, wanted):
        """Blocks until all is sent and there is credit for some bytes, if not for those wanted."""
        if self.credit < wanted:  # so it sees CANCEL too, once in a window at least
            self.receive()
        while not (self.flush() and self.credit):
            self._wait(select.POLLIN | select.POLLOUT if self.unsent else select.POLLIN)
            self.receive()

    def grant(self, size):
        """Lets the host send that many more bytes of DATA."""
        self.queue(frames.frame(frames.DATA_CREDIT, self.request_id, size.to_bytes(4, "big")))
        self.flush()

    def grant_soon(self, size):
        """As grant(): once half a window has come together, or before wait_input() blocks."""
        self._ungranted += size
        if self._ungranted >= frames.WINDOW // 2:
            self._grant_rest()

    def _grant_rest(self):
        if self._ungranted:
            self.grant(self._ungranted)
            self._ungranted = 0

    def finish(self, data):
        """Sends the last frames of a request. Blocks until the router has taken them."""
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
