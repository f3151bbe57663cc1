"""Connections of programs, each offered to the host as a stream that the agent opens."""

from streams.accepting import Acceptor
from streams.byte_stream import ByteStream
from streams.relay_stream import RelayStream
from wire import frames

_MAX_WAITING = 64  # connections that the host has not accepted yet


class Offering(Acceptor):
    """A listening socket whose connections are offered to the host."""

    waiting = 0  # of its connections, those that the host has not accepted yet

    def header(self, peer_port):
        """Returns the JSON of the OPEN of a connection."""
        raise NotImplementedError

    def may_accept(self):
        return self.waiting < _MAX_WAITING and self.relay.has_room()

    def take(self, connection, peer_port):
        stream = _Offered(self.relay, self.relay.next_id(), connection)
        stream.listener = self
        self.waiting += 1
        self.relay.add(stream)
        self.relay.send(frames.json_frame(frames.STREAM_OPEN, stream.id, self.header(peer_port)))


class _Offered(RelayStream):
    """The host has not accepted it yet."""

    def take_accept(self):
        self.relay.replace(self, ByteStream(self.relay, self.id, self.socket))
