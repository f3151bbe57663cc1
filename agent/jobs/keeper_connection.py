"""A keeper's side of a connection. keeper_client.py has the other side."""

import _socket

from wire import frames, messages


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
        self.unsent = bytearray()
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

    def answer(self, data):
        self.unsent += data
        self.answered = True

    def write(self):
        try:
            while self.unsent:
                del self.unsent[: self._socket.send(self.unsent)]
        except BlockingIOError:
            return
        if self.answered:
            self.ended = True

    def close(self):
        self._socket.close()
