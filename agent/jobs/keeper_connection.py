"""A keeper's side of a connection. keeper_client.py has the other side."""

import os

import _socket

from wire import frames, messages
from wire.outbox import Outbox


class KeeperConnection:
    """It carries one question: a REQUEST, DATA and EOF. Then one answer: OUT and ERR, then END."""

    _MAX_RECEIVED = (1 << 20) + (64 << 10)

    def __init__(self, fd):
        self._socket = _socket.socket(fileno=fd)
        self._socket.setblocking(False)
        self.fd = fd
        self.request = None  # until the question is whole
        self.data = b""
        self.answered = False
        self.answer_at = None  # monotonic, s; the question waits for output until then
        self.ended = False
        self.unsent = Outbox(fd)
        self.watched_for_room = False
        self.follower = None  # if the question is for a stream
        self._received = b""
        self._pending = None

    def read(self):
        try:
            data = self._socket.recv(64 << 10)
            if not data or len(self._received) + len(self.data) > self._MAX_RECEIVED:
                self.ended = True
            received, self._received = frames.split(self._received + data)
            for kind, _, payload in received:
                if kind == frames.REQUEST:
                    self._pending = messages.loads(payload)
                elif kind == frames.DATA:
                    self.data += payload
                elif kind == frames.EOF:
                    self.request = self._pending
        except BlockingIOError:
            pass
        except Exception:  # the other side is no agent
            self.ended = True

    def answer(self, end):
        """Ends the answer with this frame."""
        self.unsent.add(end)
        self.answered = True

    @property
    def has_more(self):
        """Returns whether there is something to send as soon as the socket has room."""
        return bool(self.unsent) or (self.follower is not None and self.follower.behind)

    def write(self):
        if self.unsent.flush() and self.answered:
            self.ended = True

    def close(self):
        self._socket.close()


def accept_connection(listener):
    """Accepts a connection. Returns its descriptor. Raises OSError.

    It uses the C method under socket.socket.accept(), because the socket module costs 1 MiB of
    memory. The method is private to CPython. A Python without it uses the module.
    """
    if hasattr(listener, "_accept"):
        return listener._accept()[0]
    import socket

    with socket.socket(fileno=os.dup(listener.fileno())) as public:
        return public.accept()[0].detach()
