"""The way to the host that does not lead through the engine."""

import os
import socket
import tempfile
import threading
import unittest

import harness

from wire import direct_channel

TOKEN = "0123456789abcdef" * 4


class ConnectTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name + "/"

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.directory + "name")
        listener.listen()
        return listener

    def connect(self, answer):
        """Returns what connect() returns when the host sends the answer, and the token the host got."""
        listener = self.listen()
        shown = []

        def host():
            connection = listener.accept()[0]
            shown.append(connection.recv(100).decode())
            if answer is not None:
                connection.sendall(answer)
            else:
                connection.recv(1)
            connection.close()

        thread = threading.Thread(target=host)
        thread.start()
        found = direct_channel.connect("name", TOKEN, self.directory)
        if found is not None:
            os.close(found)
        thread.join()
        return found, shown

    def test_gives_a_connection_when_the_host_accepts_the_token(self):
        found, shown = self.connect(b"+")
        self.assertIsNotNone(found)
        self.assertEqual(shown, [TOKEN])

    def test_gives_none_when_the_host_says_anything_else(self):
        for answer in (b"-", b""):
            with self.subTest(answer):
                self.assertEqual(self.connect(answer), (None, [TOKEN]))
                os.unlink(self.directory + "name")

    def test_gives_none_when_the_host_says_nothing_in_a_second(self):
        self.assertEqual(self.connect(None), (None, [TOKEN]))

    def test_gives_none_when_there_is_no_socket_or_nobody_listens(self):
        self.assertIsNone(direct_channel.connect("name", TOKEN, self.directory))
        self.listen().close()
        self.assertIsNone(direct_channel.connect("name", TOKEN, self.directory))

    def test_leaves_no_descriptor_open_when_it_gives_none(self):
        before = os.listdir("/proc/self/fd")
        self.assertIsNone(direct_channel.connect("name", TOKEN, self.directory))
        self.assertEqual(os.listdir("/proc/self/fd"), before)


class ChannelTest(harness.AgentTestCase):
    def test_ends_when_its_socket_ends_although_its_stdin_is_open(self):
        agent = harness.Agent(self.root, transport="direct")
        self.addCleanup(agent.close)
        agent.hang_up()
        self.assertEqual(agent.process.wait(10), 0)

    def test_goes_on_when_its_stdin_ends_and_it_has_a_socket(self):
        agent = harness.Agent(self.root, transport="direct")
        self.addCleanup(agent.close)
        agent.process.stdin.close()
        self.assertEqual(agent.run("echo on").stdout, b"on\n")

    def test_uses_its_pipes_when_it_is_given_no_socket(self):
        agent = harness.Agent(self.root, transport="exec")
        self.addCleanup(agent.close)
        self.assertEqual(agent.run("echo on").stdout, b"on\n")

    def test_gives_commands_no_descriptor_of_its_socket(self):
        agent = harness.Agent(self.root, transport="direct")
        self.addCleanup(agent.close)
        self.assertEqual(agent.run("ls -l /proc/self/fd | grep -c socket").stdout, b"0\n")
