"""A stream that both sides have opened: its bytes, its windows and its ends."""

import select
import time

from _socket import SHUT_WR  # see sockets.py

from streams import sockets
from streams.relay_stream import RelayStream
from wire import frames
from wire.stream_frames import credit_frame

# Bytes. Each lies below its window, so the host is never left without credit.
_GRANT_STEP, _WIDE_GRANT_STEP = 16 << 10, 128 << 10
# A stream that has carried so many bytes may get a wider window. Most never do.
_BULK_BYTES = 256 << 10
# Both sides have sent EOF, and the connection takes nothing of what is held for it.
_MAX_STANDSTILL_SECONDS = 30.0


class ByteStream(RelayStream):
    def __init__(self, relay, stream_id, socket):
        super().__init__(relay, stream_id, socket)
        self._credit = frames.STREAM_WINDOW  # bytes that the host will still take
        self._ended = False  # the agent has sent EOF
        self._held = bytearray()  # from the host, for the connection
        self._ungranted = 0  # bytes that the connection has taken, and the host does not know of
        self._window = frames.STREAM_WINDOW  # the most that is held, ungranted or under way to here
        self._taken = 0  # bytes that the connection has taken, while the window is the usual one
        self._ended_by_host = False
        self._failure = None  # why the connection takes no more bytes
        sockets.send_at_once(socket)

    def events(self):
        events = select.POLLOUT if self._held else 0
        return events | select.POLLIN if self._may_read() and not self.relay.paused else events

    def serve(self, events):
        if self._held and events & ~select.POLLIN:
            self._write_held()
        # poll() tells of an error whatever it was asked for. Then a read says which.
        if events & ~select.POLLOUT and self._may_read() and self.relay.takes_output():
            self._read()

    def expire(self):
        self.relay.end(self, aborted=True)

    # ---- to the host

    def _may_read(self):
        return self._credit > 0 and not self._ended and self.fd is not None

    def _read(self):
        try:
            data = self.socket.recv(min(self._credit, frames.MAX_AGENT_PAYLOAD))
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        if data:
            self._credit -= len(data)
            self.relay.send_output(self, data)
        elif self._failure is not None:
            self._fail(self._failure)
        else:
            self._ended = True
            self.relay.send(frames.frame(frames.STREAM_EOF, self.id))
            self._close_if_over()

    def take_credit(self, size):
        self._credit += size

    # ---- from the host

    def take_data(self, payload):
        if self._ended_by_host:
            raise frames.BadFrame("DATA after EOF")
        if len(self._held) + self._ungranted + len(payload) > self._window:
            raise frames.BadFrame("DATA past the window")
        waits = bool(self._held)
        # It is one block of memory, however small the pieces are.
        self._held += payload
        if not waits:
            self._write_held()

    def take_eof(self):
        if self._ended_by_host:
            raise frames.BadFrame("EOF after EOF")
        self._ended_by_host = True
        self._shut_if_written()
        self._close_if_over()

    def _write_held(self):
        try:
            size = len(self._held) if self._failure is not None else self.socket.send(self._held)
        except BlockingIOError:
            return
        except OSError as error:
            # The connection may still have bytes for the host, such as a server's last answer.
            self._failure = error
            size = len(self._held)
        del self._held[:size]
        self._grant(size)
        self._shut_if_written()
        if self._failure is not None and self._ended:
            self._fail(self._failure)
        else:
            self._close_if_over()

    def _grant(self, size):
        self._ungranted += size
        step = _WIDE_GRANT_STEP if self._is_wide() else _GRANT_STEP
        if self._ungranted >= step and not self._ended_by_host:
            self.relay.send(credit_frame(self.id, self._ungranted + self._widen()))
            self._ungranted = 0

    def _is_wide(self):
        return self._window > frames.STREAM_WINDOW

    def _widen(self):
        """Returns by how many bytes the window grows now.

        A long transfer to a fast program would else wait for credit most of the time.
        """
        if self._is_wide():
            return 0
        self._taken += self._ungranted
        if self._taken < _BULK_BYTES or self._held or not self.relay.take_wide_place():
            return 0
        self._window = frames.WIDE_STREAM_WINDOW
        return frames.WIDE_STREAM_WINDOW - frames.STREAM_WINDOW

    # ---- ends

    def ended(self):
        if self._is_wide():
            self.relay.give_wide_place_back()

    def _shut_if_written(self):
        if self._ended_by_host and not self._held:
            try:
                self.socket.shutdown(SHUT_WR)
            except OSError:
                pass  # its peer has reset it; a read says so

    def _close_if_over(self):
        if not (self._ended and self._ended_by_host):
            return
        if self._held:
            self.relay.linger(self)
            self.deadline = time.monotonic() + _MAX_STANDSTILL_SECONDS
        else:
            self.relay.end(self)

    def _fail(self, error):
        self.relay.reset(self, "CONNECTION_FAILED", sockets.reason_of(error.errno))
