"""Streams of the kind `outgoing`: programs in the sandbox connect to names outside."""

import time

from names.addresses import choose_address
from streams import sockets
from streams.offering import Offering

_MAX_NAMES = 256
_MAX_LISTENERS = 1024  # of all names; each costs the relay and the kernel some KiB
_MAX_IDLE_SECONDS = 60.0  # a name that is used keeps its place; the TTL of its address is 10 s


class _Name:
    __slots__ = ("text", "address", "listeners", "last_used")

    def __init__(self, text, address):
        self.text = text
        self.address = address
        self.listeners = {}  # by port
        self.last_used = 0.0  # monotonic, s: when the host last allowed it, or a connection came


class _OutgoingListener(Offering):
    def __init__(self, relay, socket, name, port):
        super().__init__(relay, socket)
        self._name = name
        self._port = port

    def header(self, peer_port):
        return {"kind": "outgoing", "name": self._name.text, "port": self._port}

    def take(self, connection, peer_port):
        self._name.last_used = time.monotonic()
        super().take(connection, peer_port)


class OutgoingNames:
    """The names that have an address, and the ports that the relay listens on for them."""

    def __init__(self, relay):
        self._relay = relay
        self._by_text = {}
        self._by_address = {}
        self._listeners = 0

    def __contains__(self, text):
        return text in self._by_text

    def name_at(self, address):
        """Returns the name that has the address, or None."""
        name = self._by_address.get(address)
        return name and name.text

    def open(self, text, ports):
        """Listens on these ports for the name, and no more on others.

        Returns the name's address, or None if there is no room. A port that a program has taken
        does not keep the others from being opened.
        """
        name = self._by_text.get(text)
        if name is not None:
            for port in name.listeners.keys() - set(ports):
                self._close_port(name, port)
        missing = set(ports) - (name.listeners.keys() if name is not None else set())
        if not self._make_room(name, len(missing)):
            return None
        if name is None:
            name = _Name(text, choose_address(text, self._by_address))
            self._by_text[text] = self._by_address[name.address] = name
        name.last_used = time.monotonic()
        for port in missing:
            self._open_port(name, port)
        return name.address

    def close(self, text):
        """Forgets the name. Its connections live on."""
        name = self._by_text.pop(text, None)
        if name is not None:
            del self._by_address[name.address]
            for port in list(name.listeners):
                self._close_port(name, port)

    def close_all(self):
        for text in list(self._by_text):
            self.close(text)

    def _make_room(self, name, listeners):
        """Forgets names that nobody uses until there is room. Returns whether there is."""
        while self._listeners + listeners > _MAX_LISTENERS or name is None and len(self._by_text) >= _MAX_NAMES:
            oldest = min((each for each in self._by_text.values() if each is not name), key=_last_used, default=None)
            if oldest is None or oldest.last_used > time.monotonic() - _MAX_IDLE_SECONDS:
                return False
            self.close(oldest.text)
        return True

    def _open_port(self, name, port):
        try:
            socket = sockets.listening_socket(name.address, port)
        except OSError:
            return  # a program has it, or there is no open file left; the next answer tries again
        name.listeners[port] = _OutgoingListener(self._relay, socket, name, port)
        self._listeners += 1
        self._relay.attach(name.listeners[port])

    def _close_port(self, name, port):
        self._listeners -= 1
        self._relay.end(name.listeners.pop(port))


def _last_used(name):
    return name.last_used
