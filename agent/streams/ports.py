"""list_ports: the TCP ports on which programs of the sandbox listen, as /proc shows them."""

import os
import sys

from names import addresses
from processes import process_table
from wire import messages

# As in sockets.py, the module socket would cost more memory.
import _socket

_TABLES = ((b"/proc/net/tcp", _socket.AF_INET), (b"/proc/net/tcp6", _socket.AF_INET6))
_LISTEN = b"0A"  # the kernel's number of the state TCP_LISTEN
_MAX_PORTS = 256
# The agent's own listeners count too, of which it may have as many as one process has open files.
_MAX_LISTENERS = 8192
_ROWS_A_LOOK = 1000  # so often it looks whether the host has cancelled the request
_MAX_PROGRAM = 200  # characters
_MAX_CHARACTER = 4  # bytes of UTF-8
_DNS = (53, "127.0.0.1")


def list_ports(channel, request):
    """Sends a line for each port and address, in their order. The host bounds the time."""
    listeners, truncated = _listeners(channel)
    programs = _programs(set(listeners.values()), channel)
    lines = []
    for port, address in sorted(listeners):
        program = programs.get(listeners[port, address])
        if program is None and _is_own(port, address):
            continue
        if len(lines) == _MAX_PORTS:
            truncated = True
            break
        line = {"port": port, "address": address, "program": program}
        lines.append(messages.dumps(line) + "\n")
    channel.send_output("".join(lines).encode())
    return {"truncated": truncated}


def _is_own(port, address):
    """Whether the agent itself listens there, for DNS and for names, if no program is known to."""
    return (port, address) == _DNS or addresses.is_of_names(address)


def _listeners(channel):
    """Returns {(port, address): inode of the socket}, and whether there are more than that."""
    found = {}
    for path, family in _TABLES:
        try:
            table = open(path, "rb")
        except OSError:
            continue  # the kernel has no IPv6
        with table:
            for number, row in enumerate(table):  # one at a time, because a table may be long
                if number % _ROWS_A_LOOK == 0:
                    channel.receive()  # it raises if the host has cancelled the request
                fields = row.split()
                if len(fields) < 10 or fields[3] != _LISTEN:
                    continue
                address, _, port = fields[1].partition(b":")
                if len(found) == _MAX_LISTENERS:
                    return found, True
                found.setdefault((int(port, 16), _text(address, family)), fields[9])
    return found, False


def _text(address, family):
    """Returns the address as people write it. The kernel shows words of four bytes."""
    raw = bytes.fromhex(address.decode())
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return _socket.inet_ntop(family, raw)


def _programs(inodes, channel):
    """Returns {inode: command line} for the sockets whose owner lets others of its uid look.

    It leaves out the agent's own processes, which all have one command line.
    """
    wanted = {b"socket:[%s]" % inode: inode for inode in inodes}
    agent = process_table.command_line(os.getpid())
    programs = {}
    for pid in process_table.pids():
        if len(programs) == len(wanted):
            break
        channel.receive()
        line = process_table.command_line(pid)
        if line == agent:
            continue
        for link in _open_files(b"/proc/%d/fd" % pid):
            inode = wanted.get(link)
            if inode is not None and inode not in programs:
                programs[inode] = _shown(line)
    return programs


def _open_files(directory):
    """Yields what the descriptors of a process refer to."""
    try:
        names = os.listdir(directory)
    except OSError:
        return  # it has ended, or is closed to us
    for name in names:
        try:
            yield os.readlink(directory + b"/" + name)
        except OSError:
            continue  # closed meanwhile


def _shown(line):
    """Returns the beginning of a command line, which may hold any bytes, as text."""
    words = line[: _MAX_CHARACTER * _MAX_PROGRAM].replace(b"\0", b" ").strip()
    return str(words, "utf-8", "replace")[:_MAX_PROGRAM] or None
