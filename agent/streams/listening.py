"""Streams of the kind `listen`: programs in the sandbox reach a server of the host."""

import errno
import select
import time

from _socket import AF_INET, SO_REUSEADDR, SOL_SOCKET  # see sockets.py

from streams import sockets
from streams.byte_stream import ByteStream
from streams.relay_stream import RelayStream
from wire import frames

_BACKLOG = 64
_MAX_WAITING = 64  # connections that the host has not accepted yet
_REST_SECONDS = 0.2


class Listener(RelayStream):
    """The stream carries no bytes. Its EOF or RESET ends the listener."""

    waiting = 0  # of its connections, those that the host has not accepted yet

    def events(self):
        return select.POLLIN if self._may_accept() else 0

    def serve(self, events):
        while self._may_accept():
            try:
                connection, port = sockets.accept(self.socket)
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # its peer has given up
            except OSError:
                # There is no open file for it. poll() would tell of it again at once.
                self.deadline = time.monotonic() + _REST_SECONDS
                return
            self._offer(connection, port)

    def expire(self):
        self.deadline = None

    def take_eof(self):
        self.relay.send(frames.frame(frames.STREAM_EOF, self.id))
        self.relay.end(self)

    def _may_accept(self):
        return self.waiting < _MAX_WAITING and self.deadline is None and self.relay.has_room()

    def _offer(self, connection, port):
        stream = Offered(self.relay, self.relay.next_id(), connection)
        stream.listener = self
        self.waiting += 1
        self.relay.add(stream)
        header = {"kind": "accepted", "listener": self.id, "peer_port": port}
        self.relay.send(frames.json_frame(frames.STREAM_OPEN, stream.id, header))


class Offered(RelayStream):
    """A stream of the kind `accepted`, which the host has not accepted yet."""

    def take_accept(self):
        self.relay.replace(self, ByteStream(self.relay, self.id, self.socket))


def listen(relay, stream_id, header):
    """Serves an OPEN."""
    family, address, port = sockets.target_of(header)
    if family != AF_INET:
        relay.refuse(stream_id, "LISTEN_FAILED", "The address is not in 127.0.0.0/8, the sandbox's own loopback.")
        return
    try:
        socket = _bound_socket(family, address, port)
    except OSError as error:
        code = "ADDRESS_IN_USE" if error.errno == errno.EADDRINUSE else "LISTEN_FAILED"
        relay.refuse(stream_id, code, sockets.reason_of(error.errno))
        return
    relay.add(Listener(relay, stream_id, socket))
    relay.send(frames.json_frame(frames.STREAM_ACCEPT, stream_id, {"port": socket.getsockname()[1]}))


def _bound_socket(family, address, port):
    made = sockets.new_socket(family)
    try:
        made.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made
