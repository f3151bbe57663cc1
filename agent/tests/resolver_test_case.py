"""What tests of the kinds `resolver` and `outgoing` share: a host that answers for names."""

import contextlib
import json
import os
import select
import socket
import struct
import time

import dns_client
from harness import DEADLINE_SECONDS
from stream_test_case import StreamTestCase

_WAIT_SECONDS = 0.01


class ResolverTestCase(StreamTestCase):
    changes = ()  # to the agent's modules, as of harness.bundle()

    def setUp(self):
        self.dns_port = self.choose_dns_port()
        super().setUp()
        # What the host answers: a list of ports, "refused" (the default), "failed", or None for
        # nothing.
        self.answers = {}
        self.asked = []
        self._taken = 0
        self.open_resolver()

    def choose_dns_port(self):
        """Returns one that takes the place of 53, which this machine may use itself."""
        return self.unused_port()

    def open_agent(self, memory_events=None, **settings):
        port = ("streams.resolver", "_PORT = 53", "_PORT = %d" % self.dns_port)
        return super().open_agent(memory_events, changes=(port, *self.changes), **settings)

    def open_resolver(self):
        self.resolver = self.streams.open("resolver").wait_accepted()
        self.assertEqual(self.resolver.accepted, {})
        self._taken = 0

    def open_next_agent(self):
        """Opens another agent and its resolver. The relay of the last one may live a moment longer."""
        self.agent.close()
        self.agent = self.open_agent()
        self.take_over(self.agent)

    def take_over(self, agent):
        """Opens the resolver of another agent once the relay of the last one has ended."""
        self.agent, self.streams = agent, agent.streams
        self.eventually(lambda: self.streams.open("resolver").wait_opened().code != "ADDRESS_IN_USE")
        self.resolver = list(self.streams.opened.values())[-1].wait_accepted()
        self._taken = 0

    # ---- the host

    def serve(self):
        """Answers the questions that have come."""
        while self.agent.pump(0):
            pass
        *lines, _ = self.resolver.data[self._taken :].split(b"\n")
        for line in lines:
            self._taken += len(line) + 1
            self.assertLessEqual(len(line), 511)
            question = json.loads(line)
            self.assertEqual(list(question), ["name"])
            self.asked.append(question["name"])
            self.answer(question["name"], self.answers.get(question["name"], "refused"))

    def take_questions(self):
        """Takes all questions that the relay has sent by now."""
        self.streams.pass_barrier()
        self.serve()

    def answer(self, name, outcome):
        if outcome is not None:
            more = {outcome: True} if isinstance(outcome, str) else {"ports": outcome}
            self.send_line({"name": name, **more})

    def send_line(self, value):
        self.resolver.send_data(json.dumps(value).encode() + b"\n")

    def serve_until(self, condition):
        deadline = time.monotonic() + DEADLINE_SECONDS
        self.serve()
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not happen")
            select.select([self.agent], [], [], _WAIT_SECONDS)
            self.serve()

    # ---- programs

    def program(self, kind=socket.SOCK_DGRAM):
        """Returns a socket that is connected to the resolver."""
        program = socket.socket(socket.AF_INET, kind)
        self.addCleanup(program.close)
        program.connect(("127.0.0.1", self.dns_port))
        return program

    def receive(self, program, size=4096, again=b""):
        """Returns what the program gets, while the host answers.

        `again` is sent when nothing comes, as programs do: the kernel drops datagrams in a flood.
        """
        program.setblocking(False)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            self.serve()
            try:
                return program.recv(size)
            except BlockingIOError:
                self.assertLess(time.monotonic(), deadline, "there is no reply")
                ready, _, _ = select.select([self.agent, program], [], [], 2 if again else DEADLINE_SECONDS)
                if again and not ready:
                    program.send(again)

    def exchange(self, message):
        """Returns the Reply to a datagram."""
        program = self.program()
        program.send(message)
        reply = dns_client.Reply(self.receive(program, again=message))
        program.close()
        return reply

    def ask(self, name, kind=dns_client.A, **settings):
        message = dns_client.make_query(name, kind, **settings)
        reply = self.exchange(message)
        self.assertEqual(reply.id, 7)
        if reply.code != dns_client.FORMAT_ERROR:
            self.assertEqual(reply.question, message[12 : 12 + len(reply.question)])
            self.assertGreater(len(reply.question), 4)
        return reply

    def ask_address(self, name):
        reply = self.ask(name)
        self.assertEqual(reply.code, dns_client.NO_ERROR)
        self.assertTrue(reply.address)
        return reply.address

    def send_by_tcp(self, program, *messages):
        program.sendall(b"".join(struct.pack(">H", len(each)) + each for each in messages))

    def receive_by_tcp(self, program):
        received = b""
        while len(received) < 2 or len(received) < 2 + struct.unpack_from(">H", received)[0]:
            missing = 2 - len(received) if len(received) < 2 else 2 + struct.unpack_from(">H", received)[0] - len(received)
            data = self.receive(program, missing)
            self.assertTrue(data, "the connection has ended")
            received += data
        return dns_client.Reply(received[2:])

    def call(self, address, port):
        """Returns a connection of a program."""
        connection = socket.create_connection((address, port), DEADLINE_SECONDS)
        self.addCleanup(connection.close)
        return connection

    def listens(self, address, port):
        with socket.socket() as program:
            return program.connect_ex((address, port)) == 0

    # ---- the relay

    def only_relay(self):
        """Returns the pid of the relay, which has the resolver's sockets."""
        (pid,) = [each for each in self.children_of(self.agent.process.pid) if self.dns_port in self._ports_of(each)]
        return pid

    def _ports_of(self, pid):
        """Returns the local ports of the process's sockets for datagrams."""
        with open("/proc/%d/net/udp" % pid) as file:
            ports = {line.split()[9]: int(line.split()[1].split(":")[1], 16) for line in file.readlines()[1:]}
        found = set()
        for entry in os.scandir("/proc/%d/fd" % pid):
            with contextlib.suppress(FileNotFoundError):  # it has been closed
                found.add(ports.get(os.readlink(entry.path)[len("socket:[") : -1]))
        return found

    def memory_of(self, pid):
        """Returns the bytes that the process alone has."""
        with open("/proc/%d/smaps_rollup" % pid) as file:
            return 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
