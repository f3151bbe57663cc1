"""The relay: one process that serves all streams of the channel, in turns (PROTOCOL.md, "Streams").

It never blocks but in poll(). Each stream may pass one frame to the host in a turn.
"""

import os
import select
import time

import _signal as signal  # see processes/waiting.py

from processes import own_process, waiting
from streams import connecting, listening
from streams.offering import Offering
from wire import frames, messages
from wire.outbox import Outbox
from wire.stream_frames import reset_frame


def _resolve(relay, stream_id, header):
    # Most sandboxes have no way out. The others alone compile these modules.
    from streams.resolver import resolve

    resolve(relay, stream_id, header)


def _watch(relay, stream_id, header):
    from streams.watches import watch

    watch(relay, stream_id)


_KINDS = {"connect": connecting.connect, "listen": listening.listen, "resolver": _resolve, "watch": _watch}
_LAST_ID = (1 << 32) - 1
_MAX_OUTPUT_BYTES = 128 << 10  # past it the relay reads no connection
_MAX_OUTGOING_BYTES = 1 << 20  # past it the relay reads no frame of the host, whose answer may wait


def run_relay(fd, last_id):
    """Serves streams until the router's socket closes. Call it in a process fresh from fork.

    `last_id` is that of the last stream that an earlier relay has opened, or 0.
    """
    os.setsid()  # as a worker does
    signal.set_wakeup_fd(-1)  # it is the router's
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    own_process.volunteer_for_oom_killer()
    own_process.give_back_memory()  # what the compiler has used
    try:
        Relay(fd, last_id).run()
    except (EOFError, ConnectionError):
        return


class Relay:
    def __init__(self, fd, last_id):
        os.set_blocking(fd, False)
        self._fd = fd
        self._from_router = frames.Reader(fd)
        self._outgoing = Outbox(fd)
        self._watched = select.POLLIN
        self._poll = select.poll()  # no epoll; see the router
        self._poll.register(fd, self._watched)
        self._streams = {}  # all that are open, by id
        # These, those that are over but hold bytes for their connection, and other sockets.
        self._by_fd = {}
        self._attached = 0  # the other sockets
        self._wide = 0  # the streams whose window has grown
        self._timed = set()  # those with a deadline
        self._offering = set()  # the listening sockets whose connections become streams
        self._last_id = last_id
        self._turns = 0
        self.watches = None  # the Watches, while there are streams of the kind `watch`
        self.paused = False  # it reads no connection, because the router does not take their bytes

    def run(self):
        """Runs until the router ends, which raises EOFError or ConnectionError."""
        while True:
            try:
                self._turn()
            except frames.BadFrame:
                self.send(frames.frame(frames.BREACH, 0))
            self._flush()

    def _turn(self):
        self._turns += 1
        ready = self._poll.poll(self._timeout())
        # If the router takes no more in the middle of a turn, the next one begins with the others.
        # The host's frames come last: until then no descriptor of `ready` is used for another.
        ready.sort(key=self._last_turn)
        for fd, events in ready:
            stream = self._by_fd.get(fd)
            if stream is not None:
                stream.serve(events)
                self.watch(stream)
            elif fd == self._fd and events & ~select.POLLOUT:
                self._read_router()
        now = time.monotonic()
        for stream in [each for each in self._timed if each.deadline <= now]:
            stream.expire()
            self.watch(stream)

    def _last_turn(self, event):
        stream = self._by_fd.get(event[0])
        return self._turns if stream is None else stream.last_turn

    def _timeout(self):
        if not self._timed:
            return None
        return waiting.poll_ms(min(each.deadline for each in self._timed))

    # ---- the router

    def _read_router(self):
        try:
            received = self._from_router.read()
        except BlockingIOError:
            return
        for kind, stream_id, payload in received:
            if kind == frames.STREAM_OPEN:
                self._open(stream_id, messages.loads(payload))
            else:
                stream = self._streams.get(stream_id)
                if stream is not None:  # else it is over, and the two crossed
                    self._take(stream, kind, payload)

    def _take(self, stream, kind, payload):
        if kind == frames.STREAM_DATA:
            stream.take_data(payload)
        elif kind == frames.STREAM_CREDIT:
            stream.take_credit(int.from_bytes(payload, "big"))
        elif kind == frames.STREAM_EOF:
            stream.take_eof()
        elif kind == frames.STREAM_RESET:
            self.send(frames.frame(frames.STREAM_RESET, stream.id, payload))  # the answer
            self.end(stream, aborted=True)
        else:
            stream.take_accept()
        self.watch(stream)

    def _open(self, stream_id, header):
        if stream_id in self._streams:
            raise frames.BadFrame("OPEN of an open stream")
        if not self.has_room():
            self.refuse(stream_id, "TOO_MANY_STREAMS", "The channel already has %d streams." % frames.MAX_STREAMS)
        elif header["kind"] not in _KINDS:
            self.refuse(stream_id, "INTERNAL_ERROR", "The agent has no such kind of stream.")
        else:
            _KINDS[header["kind"]](self, stream_id, header)

    def _flush(self):
        self._outgoing.flush()
        size = len(self._outgoing)
        watched = (select.POLLOUT if size else 0) | (select.POLLIN if size <= _MAX_OUTGOING_BYTES else 0)
        if watched != self._watched:
            self._watched = watched
            self._poll.modify(self._fd, watched)
        if self.paused != (size > _MAX_OUTPUT_BYTES):
            self.paused = not self.paused
            for stream in self._streams.values():
                self.watch(stream)

    # ---- for streams

    def has_room(self):
        """Returns whether there may be one more stream. A connection that outlives one counts."""
        return len(self._by_fd) - self._attached < frames.MAX_STREAMS

    def take_wide_place(self):
        """Returns whether one more window may grow, which costs memory if its program stalls."""
        if self._wide >= frames.MAX_WIDE_STREAMS:
            return False
        self._wide += 1
        return True

    def give_wide_place_back(self):
        self._wide -= 1

    def takes_output(self):
        """Returns whether a stream may pass bytes to the host now."""
        if len(self._outgoing) > _MAX_OUTPUT_BYTES:
            self._outgoing.flush()
        return len(self._outgoing) <= _MAX_OUTPUT_BYTES

    def next_id(self):
        """Returns the next odd id that no stream has."""
        self._last_id = (self._last_id + 2 if self._last_id else 1) & _LAST_ID
        return self.next_id() if self._last_id in self._streams else self._last_id

    def send(self, frame):
        """Sends a small frame."""
        self._outgoing.add(frame)

    def send_output(self, stream, data):
        stream.last_turn = self._turns
        self._outgoing.add(frames.header(frames.STREAM_DATA, stream.id, data), data)

    def refuse(self, stream_id, code, detail):
        self.send(reset_frame(stream_id, code, detail))

    def reset(self, stream, code, detail):
        if self._streams.get(stream.id) is stream:  # else the host has forgotten it
            self.refuse(stream.id, code, detail)
        self.end(stream, aborted=True)

    def add(self, stream):
        self._streams[stream.id] = stream
        self._keep(stream)

    def attach(self, part):
        """Polls a socket that is no stream itself. The stream that it belongs to ends it."""
        self._attached += 1
        self._keep(part)

    def _keep(self, part):
        self._by_fd[part.fd] = part
        if isinstance(part, Offering):
            self._offering.add(part)
        self.watch(part)

    def replace(self, stream, other):
        """Puts another in its place, with the same id and socket."""
        self._forget(stream)
        self.add(other)

    def linger(self, stream):
        """Forgets the id of a stream that is over, and keeps its connection until end()."""
        if self._streams.get(stream.id) is stream:
            del self._streams[stream.id]

    def end(self, part, aborted=False):
        """Ends a stream or an attached socket. If it is aborted, its peer sees a reset."""
        had_room = self.has_room()
        self._forget(part)
        part.close(aborted)
        part.ended()
        if not had_room:
            for each in self._offering:
                self.watch(each)

    # ---- what it polls for

    def watch(self, part):
        """Polls for what it waits for now. Call it after every change of it."""
        if part.fd is None:
            return
        if part.deadline is None:
            self._timed.discard(part)
        else:
            self._timed.add(part)
        events = part.events()
        if events == part.watched:
            return
        # Of a registered descriptor poll() always reports errors, which would keep the relay busy.
        if events == 0:
            self._poll.unregister(part.fd)
        else:
            self._poll.register(part.fd, events)
        part.watched = events

    def _forget(self, part):
        if part.id is None:
            self._attached -= 1
        else:
            self.linger(part)
        del self._by_fd[part.fd]
        if part.watched:
            self._poll.unregister(part.fd)
        part.fd = None
        self._timed.discard(part)
        self._offering.discard(part)
        if part.listener is not None:
            part.listener.waiting -= 1
            self.watch(part.listener)
