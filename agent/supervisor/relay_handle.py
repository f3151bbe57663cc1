"""The router's side of the relay (streams/relay.py): which streams are open."""

from supervisor.child_handle import ChildHandle, each_frame, fork_child
from wire import frames
from wire.stream_frames import MAX_JSON, reset_frame

_ENDED_BY_HOST, _ENDED_BY_RELAY = 1, 2
_BOTH = _ENDED_BY_HOST | _ENDED_BY_RELAY
# A larger payload is not worth a copy. A smaller one costs more as a piece of its own.
_LARGE = 4 << 10


class RelayHandle(ChildHandle):
    # Every stream's OPEN and whole window. So the relay of a correct host is never killed.
    max_unsent = frames.MAX_STREAMS * (frames.STREAM_WINDOW + MAX_JSON) + frames.MAX_WIDE_STREAMS * frames.WIDE_STREAM_WINDOW + (1 << 20)

    def __init__(self, pid, fd, last_id):
        super().__init__(pid, fd)
        self.last_id = last_id  # of the last stream that a relay has opened
        self._open = {}  # by id of a stream: which sides have sent EOF

    def queue_frame(self, kind, stream_id, payload):
        """Queues a frame of the host."""
        if kind == frames.STREAM_OPEN:
            self._open.setdefault(stream_id, 0)
        elif kind == frames.STREAM_EOF:
            self._note_end(stream_id, _ENDED_BY_HOST)
        # A RESET ends nothing before the relay has answered it.
        if len(payload) < _LARGE:
            self.unsent.add(frames.frame(kind, stream_id, payload))
        else:
            self.unsent.add(frames.header(kind, stream_id, payload), payload)

    def take_open(self):
        """Returns the ids of the streams that are open, and forgets them."""
        taken = list(self._open)
        self._open.clear()
        return taken

    def _pass_on(self, received, outgoing):
        position = 0
        for kind, stream_id, begin, end in each_frame(received):
            if kind == frames.BREACH:
                outgoing.add(received[position:begin])
                raise frames.BadFrame("the host broke the rules of a stream")
            if kind == frames.STREAM_OPEN:
                self.last_id = stream_id
                self._open[stream_id] = 0
            elif kind == frames.STREAM_RESET:
                self._open.pop(stream_id, None)
            elif kind == frames.STREAM_EOF:
                self._note_end(stream_id, _ENDED_BY_RELAY)
            position = end
        outgoing.add(received[:position])
        return position, ()

    def _note_end(self, stream_id, side):
        if stream_id in self._open:
            self._open[stream_id] |= side
            if self._open[stream_id] == _BOTH:
                del self._open[stream_id]


def fork_relay(router_fds, last_id):
    """Forks the relay. Raises OSError, as fork_child does."""

    def run(fd):
        # The relay alone compiles its modules, because most sessions have no stream.
        from streams.relay import run_relay

        run_relay(fd, last_id)

    return RelayHandle(*fork_child(run, router_fds), last_id)


def lost_frames(relay, detail):
    """Returns the frames that tell the host of the streams that ended with the relay."""
    return b"".join(reset_frame(each, "SANDBOX_LOST", detail) for each in relay.take_open())
