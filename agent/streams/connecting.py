"""Streams of the kind `connect`: the host reaches a server in the sandbox."""

import errno
import select
import time

from _socket import SO_ERROR, SOL_SOCKET  # see sockets.py

from streams import sockets
from streams.byte_stream import ByteStream
from streams.relay_stream import RelayStream
from wire import frames

_MAX_SECONDS = 5.0

_CODES = {errno.ECONNREFUSED: "CONNECTION_REFUSED", errno.ETIMEDOUT: "CONNECTION_TIMED_OUT"}


class Connecting(RelayStream):
    """The connection is under way."""

    def __init__(self, relay, stream_id, socket, target):
        super().__init__(relay, stream_id, socket)
        self.target = target  # (address, port)
        self.deadline = time.monotonic() + _MAX_SECONDS

    def events(self):
        return select.POLLOUT

    def serve(self, events):
        finish(self, self.socket.getsockopt(SOL_SOCKET, SO_ERROR))

    def expire(self):
        self.relay.reset(self, "CONNECTION_TIMED_OUT", "The server did not take the connection in %d s." % _MAX_SECONDS)


def finish(stream, error):
    """Tells the host whether there is a connection. `error` is 0 if there is one."""
    # TCP may connect a socket to itself if no server has the port, and the kernel chose it here.
    if error == 0 and stream.socket.getsockname()[:2] == stream.target:
        error = errno.ECONNREFUSED
    if error == 0:
        stream.relay.replace(stream, ByteStream(stream.relay, stream.id, stream.socket))
        stream.relay.send(frames.json_frame(frames.STREAM_ACCEPT, stream.id, {}))
    else:
        stream.relay.reset(stream, _CODES.get(error, "CONNECTION_FAILED"), sockets.reason_of(error))


def connect(relay, stream_id, header):
    """Serves an OPEN."""
    family, address, port = sockets.target_of(header)
    if family is None:
        relay.refuse(stream_id, "CONNECTION_FAILED", "The address is not on the sandbox's own loopback.")
        return
    try:
        socket = sockets.new_socket(family)
    except OSError as error:
        relay.refuse(stream_id, "CONNECTION_FAILED", sockets.reason_of(error.errno))
        return
    stream = Connecting(relay, stream_id, socket, (address, port))
    relay.add(stream)
    error = socket.connect_ex(stream.target)
    if error != errno.EINPROGRESS:
        finish(stream, error)
