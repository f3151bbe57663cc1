"""DNS over TCP: each message has its length in front, in two bytes (RFC 1035, section 4.2.2)."""

import select
import time

from names.dns_messages import MAX_SIZE
from streams.accepting import Acceptor
from streams.relay_socket import RelaySocket

_MAX_CONNECTIONS = 16
_MAX_WAITING = 16  # queries of a connection that have no reply yet; it is not read past that
_IDLE_SECONDS = 10.0
_LENGTH_SIZE = 2
_READ_SIZE = 512  # bytes a turn, so that no connection holds up the others


class QueryListener(Acceptor):
    """`serve_query(message, connection)` returns whether the connection gets a reply by reply()."""

    def __init__(self, relay, socket, serve_query):
        super().__init__(relay, socket)
        self.serve_query = serve_query
        self.connections = set()

    def may_accept(self):
        return len(self.connections) < _MAX_CONNECTIONS

    def take(self, connection, peer_port):
        taken = _QueryConnection(self.relay, connection, self)
        self.connections.add(taken)
        self.relay.attach(taken)

    def ended(self):
        for each in list(self.connections):
            self.relay.end(each)


class _QueryConnection(RelaySocket):
    def __init__(self, relay, socket, of):
        super().__init__(relay, socket)
        self._of = of
        self._received = b""  # the beginning of a message
        self._unsent = b""
        self._waiting = 0
        self._ended_by_peer = False
        self._rest()

    def events(self):
        if self._unsent:
            return select.POLLOUT
        return 0 if self._ended_by_peer or self._waiting >= _MAX_WAITING else select.POLLIN

    def serve(self, events):
        try:
            alive = self._send() if self._unsent else self._read()
        except BlockingIOError:
            return
        except OSError:
            alive = False
        if not alive or self._ended_by_peer and not self._waiting and not self._unsent:
            self.relay.end(self)

    def expire(self):
        self.relay.end(self)

    def ended(self):
        self._of.connections.discard(self)
        self.relay.watch(self._of)  # there is room now

    def reply(self, message):
        """Sends a reply, unless the connection has ended."""
        self._waiting -= 1
        self._unsent += len(message).to_bytes(_LENGTH_SIZE, "big") + message
        self.relay.watch(self)

    def _rest(self):
        self.deadline = time.monotonic() + _IDLE_SECONDS

    def _send(self):
        self._unsent = self._unsent[self.socket.send(self._unsent) :]
        if not self._unsent:
            self._rest()
        return True

    def _read(self):
        """Returns whether the peer keeps to the protocol."""
        data = self.socket.recv(_READ_SIZE)
        self._ended_by_peer = not data
        self._received += data
        while len(self._received) >= _LENGTH_SIZE:
            end = _LENGTH_SIZE + int.from_bytes(self._received[:_LENGTH_SIZE], "big")
            if end > _LENGTH_SIZE + MAX_SIZE:
                return False
            if len(self._received) < end:
                break
            message = self._received[_LENGTH_SIZE:end]
            self._received = self._received[end:]
            self._rest()
            self._waiting += 1
            if not self._of.serve_query(message, self):
                self._waiting -= 1
        return True
