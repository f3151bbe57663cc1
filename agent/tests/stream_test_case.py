"""What tests of streams share."""

import contextlib
import socket
import threading

from harness import DEADLINE_SECONDS, AgentTestCase


class StreamTestCase(AgentTestCase):
    def setUp(self):
        super().setUp()
        self.streams = self.agent.streams

    def server(self, address="127.0.0.1", backlog=512):
        """Returns a listening socket on the loopback."""
        server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.addCleanup(server.close)
        server.bind((address, 0))
        server.listen(backlog)
        server.settimeout(DEADLINE_SECONDS)
        return server

    def accept(self, server):
        connection = server.accept()[0]
        self.addCleanup(connection.close)
        connection.settimeout(DEADLINE_SECONDS)
        return connection

    def connected(self):
        """Returns (stream, the server's connection)."""
        server = self.server()
        stream = self.streams.connect(server.getsockname()[1])
        return stream, self.accept(server)

    def call_listener(self, stream, host="127.0.0.1"):
        """Returns a connection of a program to the port that the stream listens on."""
        connection = socket.create_connection((host, stream.accepted["port"]), DEADLINE_SECONDS)
        self.addCleanup(connection.close)
        return connection

    def in_thread(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        self.addCleanup(thread.join, DEADLINE_SECONDS)
        return thread

    def echo(self, connection):
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

    def unused_port(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            return taken.getsockname()[1]

    def relay_pid(self):
        """Returns the pid of the relay. The agent's other children are workers."""
        children = set(self.children_of(self.agent.process.pid))
        self.assertEqual(len(children - self.workers), 1)
        return (children - self.workers).pop()

    def is_alive(self, pid):
        try:
            with open("/proc/%d/stat" % pid) as file:
                return file.read().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def fork_relay(self):
        self.agent.run("true")  # now the router has forked its first worker, and a spare one
        self.workers = set(self.children_of(self.agent.process.pid))
        self.streams.pass_barrier()
        return self.relay_pid()


def read_all(connection):
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def read_exactly(connection, size):
    received = b""
    while len(received) < size:
        data = connection.recv(size - len(received))
        assert data, "the connection has ended"
        received += data
    return received
