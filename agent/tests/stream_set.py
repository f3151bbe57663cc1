"""The host's side of streams, for the tests. It holds the agent to the rules of PROTOCOL.md."""

import json
import struct

from wire import frames


class Stream:
    """What has come for one stream."""

    def __init__(self, streams, stream_id):
        self._streams = streams
        self.id = stream_id
        self.accepted = None  # the JSON of ACCEPT
        self.header = None  # the JSON of OPEN, if the agent has opened it
        self.data = b""
        self.credit = frames.STREAM_WINDOW  # bytes that the host may send
        self.eof = False
        self.reset = None
        self.auto_credit = True
        self.window = frames.STREAM_WINDOW  # bytes that the agent may send
        self.sent_eof = False
        self.sent_reset = False

    @property
    def code(self):
        return self.reset and self.reset["code"]

    def send(self, kind, payload=b""):
        self._streams.agent.send(kind, self.id, payload)

    def accept(self):
        self.accepted = {}
        self.send(frames.STREAM_ACCEPT, b"{}")
        return self

    def send_data(self, data):
        """Sends all of it, as the agent gives credit."""
        while data:
            self.wait(lambda: self.credit)
            size = min(len(data), self.credit, frames.MAX_AGENT_PAYLOAD)
            self.credit -= size
            self.send(frames.STREAM_DATA, data[:size])
            data = data[size:]

    def send_eof(self):
        self.sent_eof = True
        self.send(frames.STREAM_EOF)

    def send_reset(self):
        self.sent_reset = True
        self.send(frames.STREAM_RESET, b'{"code":"STREAM_CLOSED","detail":"The test ends it."}')

    def grant(self, size):
        self.window += size
        self.send(frames.STREAM_CREDIT, struct.pack(">I", size))

    def wait(self, condition):
        """Reads frames until the condition holds, or the agent has reset the stream."""
        self._streams.agent.pump_until(lambda: condition() or self.reset)
        return self

    def wait_opened(self):
        """Returns once the agent has accepted or refused it."""
        return self.wait(lambda: self.accepted is not None)

    def wait_accepted(self):
        self.wait_opened()
        assert self.reset is None, self.reset
        return self

    def wait_data(self, size):
        self.wait(lambda: len(self.data) >= size)
        return self.data

    def wait_eof(self):
        return self.wait(lambda: self.eof)

    def wait_reset(self):
        return self.wait(lambda: False)


class StreamSet:
    def __init__(self, agent):
        self.agent = agent
        self.opened = {}  # by id
        self.offered = []  # those that the agent has opened
        self._last_id = 0

    def open(self, kind, **header):
        self._last_id += 2
        stream = self.opened[self._last_id] = Stream(self, self._last_id)
        stream.send(frames.STREAM_OPEN, json.dumps({"kind": kind, **header}).encode())
        return stream

    def connect(self, port, **header):
        return self.open("connect", port=port, **header).wait_accepted()

    def listen(self, **header):
        return self.open("listen", **header).wait_accepted()

    def wait_offered(self, count):
        self.agent.pump_until(lambda: len(self.offered) >= count)
        return self.offered

    def pass_barrier(self):
        """Returns when the relay has done what it could do before this call."""
        self.open("none").wait_reset()

    def take(self, kind, stream_id, payload):
        if kind == frames.STREAM_OPEN:
            assert stream_id % 2 == 1 and len(payload) <= 4096
            known = self.opened.get(stream_id)
            assert known is None or known.reset, "the id is in use"
            stream = self.opened[stream_id] = Stream(self, stream_id)
            stream.header = json.loads(payload)
            self.offered.append(stream)
            return
        stream = self.opened[stream_id]
        assert stream.reset is None, "a frame after RESET"
        if kind == frames.STREAM_RESET:
            stream.reset = json.loads(payload)
            assert set(stream.reset) == {"code", "detail"} and 0 < len(stream.reset["detail"]) <= 300
            if not stream.sent_reset:
                stream.send_reset()
            return
        if kind == frames.STREAM_ACCEPT:
            assert stream.accepted is None and stream.header is None
            stream.accepted = json.loads(payload)
            return
        assert stream.accepted is not None, "a frame before ACCEPT"
        if kind == frames.STREAM_CREDIT:
            stream.credit += int.from_bytes(payload, "big")
            assert len(payload) == 4 and stream.credit <= frames.WIDE_STREAM_WINDOW
        elif kind == frames.STREAM_EOF:
            assert not stream.eof and not payload, "EOF"
            stream.eof = True
        elif kind == frames.STREAM_DATA:
            assert not stream.eof and 0 < len(payload) <= frames.MAX_AGENT_PAYLOAD
            stream.data += payload
            stream.window -= len(payload)
            assert stream.window >= 0, "past the window"
            if stream.auto_credit:
                stream.grant(len(payload))
        else:
            raise AssertionError("frame of type %d" % kind)
