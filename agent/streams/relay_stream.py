"""What the relay keeps of any stream, and what the host may not send for it."""

from wire import frames


class RelayStream:
    """The methods that take a frame raise BadFrame if the frame may not come now."""

    listener = None  # the Listener that waits for the host to accept this stream

    def __init__(self, relay, stream_id, socket):
        self.relay = relay
        self.id = stream_id
        self.socket = socket
        self.fd = socket.fileno()
        self.deadline = None  # monotonic, s; the relay calls expire() then
        self.watched = 0  # the events that the relay polls for
        self.last_turn = 0  # the relay's count of turns when it last passed bytes to the host

    def events(self):
        """Returns the events of poll() that the stream waits for now."""
        return 0

    def serve(self, events):
        """Does what the events allow, for one turn."""

    def expire(self):
        """The deadline has come."""

    def take_accept(self):
        raise frames.BadFrame("ACCEPT")

    def take_data(self, payload):
        raise frames.BadFrame("DATA")

    def take_eof(self):
        raise frames.BadFrame("EOF")

    def take_credit(self, size):
        raise frames.BadFrame("CREDIT")
