"""Listening sockets, and the connections that come to them."""

import select
import time

from streams import sockets
from streams.relay_socket import RelaySocket

_REST_SECONDS = 0.2


class Acceptor(RelaySocket):
    """A listening socket."""

    def may_accept(self):
        """Returns whether there is room for one more connection."""
        raise NotImplementedError

    def take(self, connection, peer_port):
        """Takes a connection."""
        raise NotImplementedError

    def events(self):
        return select.POLLIN if self.deadline is None and self.may_accept() else 0

    def serve(self, events):
        while self.events():
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
            self.take(connection, port)

    def expire(self):
        self.deadline = None
