import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from harness import AGENT, AgentTestCase
from own_network import OwnNetwork

class PortsCase(AgentTestCase):
    def answer(self):
        answer = self.agent.call("list_ports")
        return [json.loads(line) for line in answer.stdout.splitlines()], answer.ok["truncated"]

    def listing(self):
        """Returns what the agent lists, by (port, address)."""
        lines, truncated = self.answer()
        self.assertIs(truncated, False)
        return {(line["port"], line["address"]): line["program"] for line in lines}


class PortsTest(PortsCase):
    def listener(self, family, address):
        made = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(made.close)
        made.bind((address, 0))
        made.listen()
        return made.getsockname()[1]

    def test_lists_each_listener_with_its_address(self):
        listeners = [(socket.AF_INET, address) for address in ("127.0.0.1", "127.1.2.3", "0.0.0.0")]
        if socket.has_ipv6:
            listeners += [(socket.AF_INET6, address) for address in ("::1", "::")]
        wanted = {(self.listener(family, address), address) for family, address in listeners}
        self.assertLessEqual(wanted, self.listing().keys())

    def test_names_the_program_that_listens(self):
        code = "import socket, sys, time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", code, "caf\u00e9"], stdout=subprocess.PIPE) as program:
            self.addCleanup(program.kill)
            port = int(program.stdout.readline())
            self.assertEqual(self.listing()[port, "127.0.0.1"], "%s -c %s caf\u00e9" % (sys.executable, code)[:200])
            program.kill()
        self.assertNotIn((port, "127.0.0.1"), self.listing())

    def test_lists_no_port_that_only_a_connection_has(self):
        server = self.listener(socket.AF_INET, "127.0.0.1")
        with socket.create_connection(("127.0.0.1", server)) as connection:
            self.assertNotIn((connection.getsockname()[1], "127.0.0.1"), self.listing())


# Listens on all ports of a range, and waits.
_LISTEN = """
import resource, signal, socket
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
made = [socket.create_server((%r, port)) for port in range(%d, %d + 1)]
print("ready", flush=True)
signal.pause()
"""
# Runs Python, which reads its program from stdin, with any words as its command line.
_RENAMED = 'exec -a "$1" "$2" - "${@:3}"'


@unittest.skipUnless(shutil.which("nsenter"), "there is no program to join a namespace")
class HostilePortsTest(PortsCase):
    """In a network of its own, in which nothing else listens."""

    def setUp(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        self.network = OwnNetwork(directory)
        self.addCleanup(self.network.close)
        super().setUp()

    def open_agent(self, memory_events=None, **settings):
        return super().open_agent(memory_events, prefix=self.network.prefix)

    def listen(self, address, first, last, *words):
        """Starts a program that listens, with these words as its command line."""
        name, *more = words or ("program",)
        self.start(["bash", "-c", _RENAMED, "bash", name, sys.executable, *more], _LISTEN % (address, first, last))

    def listen_as_agent(self, address, first, last):
        """Starts a program with the agent's own command line."""
        source = _LISTEN % (address, first, last)
        with open(os.path.join(AGENT, "bootstrap.py")) as bootstrap:
            line = bootstrap.read().strip()
        self.start([sys.executable, "-I", "-S", "-u", "-c", line], "%d\n%s" % (len(source), source))

    def start(self, command, source):
        # By another name, Python does not find its own library.
        env = {**os.environ, "PYTHONHOME": sys.prefix}
        started = subprocess.Popen([*self.network.prefix, *command], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(started.stdout.close)
        self.addCleanup(started.wait)
        self.addCleanup(started.kill)
        started.stdin.write(source.encode())
        started.stdin.close()
        self.assertEqual(started.stdout.readline(), b"ready\n")

    def test_lists_256_when_tens_of_thousands_listen(self):
        for first in range(10_000, 60_000, 2_500):  # fewer for each than its open files may be
            self.listen("127.0.0.1", first, first + 2_499)
        lines, truncated = self.answer()
        self.assertEqual((len(lines), truncated), (256, True))
        ports = [line["port"] for line in lines]
        self.assertEqual(ports, sorted(set(ports)))

    def test_lists_the_lowest_ports_when_a_few_thousand_listen(self):
        self.listen("127.0.0.1", 30_000, 34_999)
        lines, truncated = self.answer()
        self.assertEqual(([line["port"] for line in lines], truncated), ([*range(30_000, 30_256)], True))

    def test_lists_no_listener_of_the_agent_and_so_has_room_for_programs(self):
        self.listen_as_agent("127.128.0.1", 1_000, 1_999)
        self.listen_as_agent("127.0.0.1", 53, 53)
        self.listen("127.0.0.1", 8_000, 8_000)
        self.listen("127.200.0.1", 8_000, 8_000)
        self.assertEqual(self.listing(), dict.fromkeys([(8_000, "127.0.0.1"), (8_000, "127.200.0.1")], "program -"))

    def test_shows_any_command_line_as_text(self):
        for port, (words, shown) in enumerate(
            [
                (["new\nline\x1b[2J\u2028"], "new\nline\x1b[2J\u2028 -"),
                ([b"\xff\xfe\xc3", b"\xe2\x28"], "\ufffd\ufffd\ufffd - \ufffd("),
                (["long"] + ["x" * 100_000] * 10, "long - " + "x" * 193),
                (["\U0001f600" * 500], "\U0001f600" * 200),
                ([b"\xff" * 1000], "\ufffd" * 200),
            ],
            start=8_000,
        ):
            with self.subTest(shown=shown[:9]):
                self.listen("127.0.0.1", port, port, *words)
                self.assertEqual(self.listing()[port, "127.0.0.1"], shown)


if __name__ == "__main__":
    unittest.main()
