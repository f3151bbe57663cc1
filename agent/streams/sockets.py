"""Sockets that do not block, on the sandbox's own loopback."""

import os
import struct

# As in processes/waiting.py, the module socket would cost the relay a megabyte.
import _socket

_LOOPBACK = "127.0.0.1"
_NET_OF_LOOPBACK = 127  # the first of the four bytes of its addresses
_LOOPBACK_6 = bytes(15) + b"\1"
_BACKLOG = 64  # connections that the kernel holds for a listening socket
_NO_LINGER = struct.pack("ii", 1, 0)  # struct linger: on, and no time to send what waits


def loopback_family(address):
    """Returns AF_INET or AF_INET6, or None if the text is no address of the loopback."""
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            packed = _socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
        if packed == _LOOPBACK_6 or len(packed) == 4 and packed[0] == _NET_OF_LOOPBACK:
            return family
    return None


def target_of(header):
    """Returns (family or None, address, port) of an OPEN."""
    address = header.get("address", _LOOPBACK)
    return loopback_family(address), address, header.get("port", 0)


def new_socket(family):
    """Raises OSError if the sandbox is at its limit of open files or memory."""
    made = _socket.socket(family, _socket.SOCK_STREAM)
    made.setblocking(False)
    return made


def listening_socket(address, port):
    """Returns one on an IPv4 address. Raises OSError."""
    made = new_socket(_socket.AF_INET)
    try:
        # Connections that have just closed do not hold the port.
        made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def datagram_socket(address, port):
    """Returns one on an IPv4 address. Raises OSError."""
    made = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.bind((address, port))  # without SO_REUSEADDR, by which another socket could share it
    except OSError:
        made.close()
        raise
    return made


def accept(listening):
    """Returns (socket, port of its peer). Raises OSError."""
    fd, peer = listening._accept()
    accepted = _socket.socket(listening.family, _socket.SOCK_STREAM, 0, fd)
    accepted.setblocking(False)
    return accepted, peer[1]


def send_at_once(socket):
    """Small pieces go on without a wait for more of them."""
    socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)


def abort(socket):
    """Closes it so that its peer sees a reset, not an end of file."""
    socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, _NO_LINGER)
    socket.close()


def reason_of(number):
    """Returns the sentence for the number of an error."""
    return "%s." % os.strerror(number)
