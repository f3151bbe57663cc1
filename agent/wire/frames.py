"""The frames of the channel (PROTOCOL.md): bytes in, (type, id, payload) out, and back."""

import os
import struct

from wire import messages

HEADER = struct.Struct(">IBI")
MAX_HOST_PAYLOAD = 1 << 20
MAX_AGENT_PAYLOAD = 64 << 10
WINDOW = 256 << 10
_LARGE = 32 << 10
_COMMON_FRAME = HEADER.size + (64 << 10)  # of a long input; over 128 KiB, the C library would map and unmap memory for every read

REQUEST, DATA, EOF, CANCEL, CREDIT, PING = 1, 2, 3, 4, 5, 6
HELLO, OUT, ERR, END, DATA_CREDIT, PONG = 16, 17, 18, 19, 20, 21

# From a worker to its router alone, id 0. All but DELIVERING come right after an END.
FREE = 32  # takes another request
BACKGROUND = 33  # stays with processes that the command left running, and takes no more requests
DELIVERING = 34  # the command has ended in time; what it wrote waits for credit


class BadFrame(Exception):
    """The sender does not speak the protocol."""


def header(kind, request_id, payload):
    """What goes before the payload, where that is not to be copied."""
    return HEADER.pack(len(payload), kind, request_id)


def frame(kind, request_id, payload=b""):
    return b"".join((header(kind, request_id, payload), payload))


def json_frame(kind, request_id, value):
    return frame(kind, request_id, messages.dumps(value).encode())


def ok_frame(request_id, value):
    return json_frame(END, request_id, {"ok": value})


def error_frame(request_id, code, detail):
    return json_frame(END, request_id, {"error": {"code": code, "detail": detail}})


def split(data):
    """Cuts bytes into whole frames: (a list of (type, id, payload), the bytes of the frame that is not whole). Large payloads are views.

    Raises BadFrame for a payload over MAX_HOST_PAYLOAD, so that no more than one of those is ever kept.
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
        # A small view would keep all that came with it.
        frames.append((kind, request_id, view[body:start] if length >= _LARGE else data[body:start]))
    return frames, data[start:]


class Reader:
    """Frames as they come out of a descriptor that does not block."""

    def __init__(self, fd):
        self._fd = fd
        self._rest = b""

    def read(self):
        """Those that are there, of a single read. Raises BlockingIOError where there is nothing to read, and EOFError at the end."""
        # To the end of a frame of the common size: what is read whole is copied no more.
        data = os.read(self._fd, _COMMON_FRAME - len(self._rest) % _COMMON_FRAME)
        if not data:
            raise EOFError
        frames, self._rest = split(self._rest + data)
        return frames
