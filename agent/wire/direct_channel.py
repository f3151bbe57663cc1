"""The way to the host that does not lead through the engine (PROTOCOL.md, "Direct channel")."""

import _socket

_DIRECTORY = "/run/sandbox/"
_ACCEPTED = b"+"
_SECONDS = 1.0


def connect(name, token, directory=_DIRECTORY):
    """Connects to the host's socket of that name. Returns its descriptor, or None.

    None if there is no way to the socket, or if the host does not accept the token in a second.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(_SECONDS)
        connection.connect(directory + name)
        connection.sendall(token.encode())
        if connection.recv(1) == _ACCEPTED:
            return connection.detach()
    except OSError:
        pass
    connection.close()
    return None
