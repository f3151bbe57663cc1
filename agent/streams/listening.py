"""Streams of the kind `listen`: programs in the sandbox reach a server of the host."""

import errno

from _socket import AF_INET  # see sockets.py

from streams import sockets
from streams.offering import Offering
from streams.relay_stream import RelayStream
from wire import frames


class Listener(Offering, RelayStream):
    """The stream carries no bytes. Its EOF or RESET ends the listener."""

    def header(self, peer_port):
        return {"kind": "accepted", "listener": self.id, "peer_port": peer_port}

    def take_eof(self):
        self.relay.send(frames.frame(frames.STREAM_EOF, self.id))
        self.relay.end(self)


def listen(relay, stream_id, header):
    """Serves an OPEN."""
    family, address, port = sockets.target_of(header)
    if family != AF_INET:
        relay.refuse(stream_id, "LISTEN_FAILED", "The address is not in 127.0.0.0/8, the sandbox's own loopback.")
        return
    try:
        socket = sockets.listening_socket(address, port)
    except OSError as error:
        refuse(relay, stream_id, error)
        return
    relay.add(Listener(relay, stream_id, socket))
    relay.send(frames.json_frame(frames.STREAM_ACCEPT, stream_id, {"port": socket.getsockname()[1]}))


def refuse(relay, stream_id, error):
    """Tells the host why the agent cannot listen."""
    code = "ADDRESS_IN_USE" if error.errno == errno.EADDRINUSE else "LISTEN_FAILED"
    relay.refuse(stream_id, code, sockets.reason_of(error.errno))
