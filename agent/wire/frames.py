"""The frames of the channel (PROTOCOL.md): from bytes to (type, id, payload), and back."""

import os
import struct

from wire import messages

HEADER = struct.Struct(">IBI")
MAX_HOST_PAYLOAD = 1 << 20
MAX_AGENT_PAYLOAD = 64 << 10
WINDOW = 256 << 10
_LARGE = 32 << 10
# A frame of a long input has this size. Over 128 KiB, the C library would map and unmap memory for
# every read.
_COMMON_FRAME = HEADER.size + (64 << 10)

REQUEST, DATA, EOF, CANCEL, CREDIT, PING, LEASE = 1, 2, 3, 4, 5, 6, 7
HELLO, OUT, ERR, END, DATA_CREDIT, PONG = 16, 17, 18, 19, 20, 21

# Both sides send these, about streams (stream_frames.py).
STREAM_OPEN, STREAM_ACCEPT, STREAM_DATA, STREAM_EOF, STREAM_RESET, STREAM_CREDIT = 64, 65, 66, 67, 68, 69
STREAM_WINDOW = 64 << 10  # bytes in each direction that need no credit
MAX_STREAMS = 256  # open at a time, whichever side has opened them
# The agent lets the host's window grow to this, of so many streams at a time.
WIDE_STREAM_WINDOW = 256 << 10
MAX_WIDE_STREAMS = 4

# A worker sends these to its router alone, with id 0. All but DELIVERING come right after an END.
FREE = 32  # the worker takes another request
BACKGROUND = 33  # the worker stays with what the command left running, and takes no more requests
DELIVERING = 34  # the command has ended in time; its output waits for credit

# The relay sends this to its router alone: the host broke the rules, so the channel is to end.
BREACH = 35


class BadFrame(Exception):
    """The sender does not speak the protocol."""


def header(kind, request_id, payload):
    """Returns what goes before the payload. So the payload need not be copied into a frame."""
    return HEADER.pack(len(payload), kind, request_id)


def frame(kind, request_id, payload=b""):
    return b"".join((header(kind, request_id, payload), payload))


def json_frame(kind, request_id, value):
    return frame(kind, request_id, messages.dumps(value).encode())


def ok_frame(request_id, value):
    return json_frame(END, request_id, {"ok": value})


def error_frame(request_id, code, detail):
    return json_frame(END, request_id, {"error": {"code": code, "detail": detail}})


def number(payload):
    """Returns the number that a payload of four bytes is. Raises BadFrame for any other payload."""
    if len(payload) != 4:
        raise BadFrame("a number of %d bytes" % len(payload))
    return int.from_bytes(payload, "big")


def split(data):
    """Cuts bytes into frames. Returns (list of (type, id, payload), bytes of an unfinished frame).

    Large payloads are views. Raises BadFrame for a payload over MAX_HOST_PAYLOAD. So no more than
    one payload of that size is ever held.
    """
    frames = []
    start = 0
    end = len(data)
    view = memoryview(data)
    while end - start >= HEADER.size:
        length, kind, request_id = HEADER.unpack_from(data, start)
        if length > MAX_HOST_PAYLOAD:
            raise BadFrame("payload of %d bytes" % length)
        body = start + HEADER.size
        if body + length > end:
            break
        start = body + length
        # A small view would hold all the bytes that came with it in memory.
        frames.append((kind, request_id, view[body:start] if length >= _LARGE else data[body:start]))
    return frames, data[start:]


class Reader:
    """Reads frames from a descriptor that does not block."""

    def __init__(self, fd):
        self._fd = fd
        self._rest = b""

    def read(self):
        """Returns the frames of one read, or of two if the first one took all that it could.

        Raises BlockingIOError if there is nothing to read, and EOFError at the end.
        """
        received, more = self._read_once()
        if more:
            try:
                received += self._read_once()[0]
            except (BlockingIOError, EOFError):
                pass  # the next call meets the end again
        return received

    def _read_once(self):
        """Returns (frames, whether it took all that it could)."""
        # It reads to the end of a frame of the common size. A frame that is read whole is not
        # copied.
        size = _COMMON_FRAME - len(self._rest) % _COMMON_FRAME
        data = os.read(self._fd, size)
        if not data:
            raise EOFError
        frames, self._rest = split(self._rest + data)
        return frames, len(data) == size
