"""DNS as a program speaks it, written from RFC 1035 and not from the agent's own code."""

import socket
import struct

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, OPT, HTTPS, IXFR, AXFR, ANY = 1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 65, 251, 252, 255
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NO_SUCH_NAME, NOT_IMPLEMENTED = range(5)
RECURSION_DESIRED = 0x0100


def encode(name):
    """`name` is text, or a list of labels in bytes."""
    labels = [label.encode() for label in name.split(".") if label] if isinstance(name, str) else name
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def make_query(name, kind=A, query_id=7, flags=RECURSION_DESIRED, of_class=1, questions=1, more=b""):
    header = struct.pack(">HHHHHH", query_id, flags, questions, 0, 0, 1 if more else 0)
    return header + encode(name) + struct.pack(">HH", kind, of_class) + more


def opt_record(size=4096):
    """EDNS (RFC 6891): the program takes messages of that size."""
    return b"\0" + struct.pack(">HHIH", OPT, size, 0, 0)


class Reply:
    """Raises AssertionError if the message is not well-formed to the last byte."""

    def __init__(self, message):
        assert len(message) <= 512
        self.id, self.flags, questions, answers, authorities, additional = struct.unpack_from(">HHHHHH", message)
        assert self.flags & 0x8000, "no reply"
        assert self.flags & 0x0080, "no recursion"
        assert not self.flags & 0x0670, "AA, TC, Z, AD"
        assert questions <= 1 and answers <= questions and authorities == additional == 0
        self.opcode = self.flags >> 11 & 15
        self.code = self.flags & 15
        self.question = b""
        position = 12
        if questions:
            while message[position]:
                position += 1 + message[position]
            position += 5
            self.question = message[12:position]
        self.data = None
        if answers:
            pointer, kind, of_class, self.ttl, size = struct.unpack_from(">HHHIH", message, position)
            assert (pointer, of_class) == (0xC00C, 1)
            assert kind == struct.unpack(">H", self.question[-4:-2])[0]
            position += 12
            self.data = message[position : position + size]
            assert len(self.data) == size
            position += size
        assert position == len(message), "bytes are left"

    @property
    def address(self):
        return self.data and socket.inet_ntoa(self.data)

    @property
    def name(self):
        """That of a PTR record."""
        labels, position = [], 0
        while self.data[position]:
            labels.append(self.data[position + 1 : position + 1 + self.data[position]].decode())
            position += 1 + self.data[position]
        assert position + 1 == len(self.data)
        return ".".join(labels)
