"""What the relay keeps of any socket that it polls."""

from streams import sockets


class RelaySocket:
    """It belongs to a stream. One that is no RelayStream itself has no id."""

    id = None
    listener = None  # the Offering that waits for the host to accept this stream

    def __init__(self, relay, socket):
        self.relay = relay
        self.socket = socket
        self.fd = socket.fileno()  # None once it is closed
        self.deadline = None  # monotonic, s; the relay calls expire() then
        self.watched = 0  # the events that the relay polls for
        self.last_turn = 0  # the relay's count of turns when it last passed bytes to the host

    def events(self):
        """Returns the events of poll() that the socket waits for now."""
        return 0

    def serve(self, events):
        """Does what the events allow, for one turn."""

    def expire(self):
        """The deadline has come."""

    def close(self, aborted):
        """Closes the socket. If it is aborted, its peer sees a reset."""
        if aborted:
            sockets.abort(self.socket)
        else:
            self.socket.close()

    def ended(self):
        """The relay has closed the socket. Closes what belongs to it."""
