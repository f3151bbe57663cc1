"""Sends queries of every kind, and what is no query, to the sandbox's resolver: COUNT of them.

After each 25, its answer for localhost is waited for. So it has taken all others.
"""

import random
import socket
import struct
import sys

_ORDINARY = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0)
_LOCALHOST = _ORDINARY + b"\x09localhost\x00\x00\x01\x00\x01"


def _question(name, kind, of_class=1):
    labels = b"".join(bytes((len(label),)) + label for label in name.split(b"."))
    return labels + b"\0" + struct.pack(">HH", kind, of_class)


def _message(chance):
    name = chance.choice((b"web.test", b"other.test", b"n%d.test" % chance.randrange(10**6), b"1.0.0.127.in-addr.arpa", b"\xff\x00.test"))
    whole = _ORDINARY + _question(name, chance.randrange(1 << 16), chance.choice((1, 1, 1, 3, 255)))
    return chance.choice(
        (
            lambda: whole,
            lambda: whole[: chance.randrange(len(whole))],
            lambda: chance.randbytes(chance.randrange(600)),
            lambda: struct.pack(">HHHHHH", *(chance.randrange(1 << 16) for _ in range(6))) + whole[12:],
            lambda: _ORDINARY + b"\xc0\x0c\x00\x01\x00\x01",  # a name that points to itself
            lambda: _ORDINARY + b"\x3f" + b"a" * 63 + whole[12:],
            lambda: whole + bytes(2000),
        )
    )()


def main(count):
    chance = random.Random(14)
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.connect(("127.0.0.1", 53))
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.connect(("127.0.0.1", 53))
    asker.settimeout(0.2)
    for number in range(count):
        resolver.send(_message(chance))
        if number % 25 == 24:
            _ask(asker)
    print(count)


def _ask(asker):
    """Asks again if an answer is lost, as every resolver does."""
    for _ in range(300):
        asker.send(_LOCALHOST)
        try:
            if asker.recv(512):
                return
        except socket.timeout:
            continue
    raise SystemExit("no answer")


main(int(sys.argv[1]))
