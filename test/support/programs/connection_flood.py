"""Begins COUNT connections to a name's port 80 at the same time, holds them, and closes them all."""

import os
import resource
import socket
import sys
import time

_EACH = 2500  # as many as one process may have


def _begin(address):
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    held = []
    for _ in range(_EACH):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((address, 80))
        held.append(connection)
    time.sleep(5)


def main(name, count):
    address = socket.gethostbyname(name)
    children = []
    for _ in range(count // _EACH):
        child = os.fork()
        if child == 0:
            _begin(address)
            os._exit(0)
        children.append(child)
    print(sum(_EACH for child in children if os.waitpid(child, 0)[1] == 0))


main(sys.argv[1], int(sys.argv[2]))
