"""The frames of the channel (PROTOCOL.md): bytes in, (type, id, payload) out, and back."""

import json
import struct

HEADER = struct.Struct(">IBI")
MAX_HOST_PAYLOAD = 1 << 20
MAX_AGENT_PAYLOAD = 64 << 10
WINDOW = 256 << 10

REQUEST, DATA, EOF, CANCEL, CREDIT, PING = 1, 2, 3, 4, 5, 6
HELLO, OUT, ERR, END, DATA_CREDIT, PONG = 16, 17, 18, 19, 20, 21

# From a worker to its router alone, id 0. All but DELIVERING come right after an END.
FREE = 32  # takes another request
BACKGROUND = 33  # stays with processes that the command left running, and takes no more requests
DELIVERING = 34  # the command has ended in time; what it wrote waits for credit


class BadFrame(Exception):
    """The sender does not speak the protocol."""


def frame(kind, request_id, payload=b""):
    return b"".join((HEADER.pack(len(payload), kind, request_id), payload))


def json_frame(kind, request_id, value):
    return frame(kind, request_id, json.dumps(value, separators=(",", ":")).encode())


def ok_frame(request_id, value):
    return json_frame(END, request_id, {"ok": value})


def error_frame(request_id, code, detail):
    return json_frame(END, request_id, {"error": {"code": code, "detail": detail}})


def split(buffer):
    """Takes the whole frames off the front of a bytearray: a list of (type, id, payload bytes).

    Raises BadFrame for a payload over MAX_HOST_PAYLOAD, so the buffer never has to hold more than one of those.
    """
    frames = []
    start = 0
    end = len(buffer)
    while end - start >= HEADER.size:
        length, kind, request_id = HEADER.unpack_from(buffer, start)
        if length > MAX_HOST_PAYLOAD:
            raise BadFrame("payload of %d bytes" % length)
        body = start + HEADER.size
        if body + length > end:
            break
        frames.append((kind, request_id, bytes(buffer[body : body + length])))
        start = body + length
    del buffer[:start]
    return frames
