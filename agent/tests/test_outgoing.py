import contextlib
import errno
import resource
import socket

from dns_client import NO_SUCH_NAME, SERVER_FAILURE, make_query
from harness import frames
from names.addresses import choose_address
from resolver_test_case import ResolverTestCase
from stream_test_case import read_all, read_exactly

NAME = "registry.example"


class OutgoingTest(ResolverTestCase):
    def setUp(self):
        super().setUp()
        self.ports = [self.unused_port(), self.unused_port()]
        self.answers[NAME] = self.ports

    def test_carries_bytes_both_ways_when_a_program_connects_to_a_name(self):
        address = self.ask_address(NAME)
        for count, port in enumerate(self.ports, 1):
            program = self.call(address, port)
            stream = self.streams.wait_offered(count)[-1]
            self.assertEqual(stream.header, {"kind": "outgoing", "name": NAME, "port": port})
            stream.accept()
            program.sendall(b"q" * 300000)
            program.shutdown(socket.SHUT_WR)
            self.assertEqual(stream.wait_eof().data, b"q" * 300000)
            stream.send_data(b"a" * 300000)
            stream.send_eof()
            self.assertEqual(read_all(program), b"a" * 300000)
            self.assertIsNone(stream.reset)

    def test_reads_nothing_before_the_host_accepts_and_resets_what_it_refuses(self):
        address = self.ask_address(NAME)
        programs = [self.call(address, self.ports[0]) for _ in range(70)]
        for program in programs:
            program.sendall(b"early")
        self.streams.wait_offered(64)
        self.streams.pass_barrier()  # the harness refuses DATA before ACCEPT
        self.assertEqual(len(self.streams.offered), 64)
        self.assertEqual(self.streams.offered[0].accept().wait_data(5), b"early")
        self.streams.offered[1].send_reset()
        with self.assertRaises(ConnectionResetError):
            programs[1].recv(1)
        self.streams.wait_offered(66)
        # Another port has room of its own.
        self.call(address, self.ports[1])
        self.assertEqual(self.streams.wait_offered(67)[66].header["port"], self.ports[1])

    def test_names_the_right_name_when_many_have_the_same_port(self):
        names = ["n%d.example" % number for number in range(40)]
        self.answers.update({name: [self.ports[0]] for name in names})
        addresses = {name: self.ask_address(name) for name in names}
        for count, name in enumerate(reversed(names), 1):
            self.call(addresses[name], self.ports[0])
            self.assertEqual(self.streams.wait_offered(count)[-1].header["name"], name)

    def test_opens_and_closes_ports_when_the_host_names_others(self):
        first, second = self.ports
        third = self.unused_port()
        for ports in ([first], [first, second], [second, third], [third, third], [], [first, second, third]):
            self.answers[NAME] = ports
            address = self.ask_address(NAME)
            self.assert_open(address, ports)
        # The host may say so without a question.
        self.answer(NAME, [second])
        self.streams.pass_barrier()
        self.assert_open(address, [second])
        self.answer(NAME, "failed")
        self.streams.pass_barrier()
        self.assert_open(address, [second])
        self.answer(NAME, "refused")
        self.streams.pass_barrier()
        self.assert_open(address, [])
        self.answer(NAME, [first])  # the name has no address any more, and nobody asks for it
        self.streams.pass_barrier()
        self.assert_open(address, [])

    def assert_open(self, address, ports):
        for port in (*self.ports, *ports):
            self.assertEqual(self.listens(address, port), port in ports)
        self.forget_offered()

    def forget_offered(self):
        self.streams.pass_barrier()
        for stream in self.streams.offered:
            if not stream.sent_reset:
                stream.send_reset()

    def test_keeps_connections_when_the_host_names_their_port_no_more(self):
        for answer in ([], "refused"):
            self.answers[NAME] = self.ports
            program = self.call(self.ask_address(NAME), self.ports[0])
            stream = self.streams.wait_offered(len(self.streams.offered) + 1)[-1].accept()
            self.answer(NAME, answer)
            stream.send_data(b"on")
            self.assertEqual(read_exactly(program, 2), b"on")

    def test_opens_the_other_ports_when_a_program_has_one(self):
        taken, free = self.ports
        for address in ("0.0.0.0", choose_address(NAME, ())):
            with socket.socket() as program:
                program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                program.bind((address, taken))
                program.listen()
                address = self.ask_address(NAME)
                caller = self.call(address, taken)
                with program.accept()[0] as accepted:
                    self.assertEqual(accepted.getpeername(), caller.getsockname())
                self.call(address, free)
                self.streams.wait_offered(len(self.streams.offered) + 1)
                self.assertEqual(self.streams.offered[-1].header["port"], free)
        # The next answer tries again.
        self.assertEqual(self.ask_address(NAME), address)
        self.call(address, taken)
        self.streams.wait_offered(len(self.streams.offered) + 1)
        self.assertEqual(self.streams.offered[-1].header["port"], taken)

    def test_listens_again_on_the_same_port_when_its_connections_have_just_closed(self):
        address = self.ask_address(NAME)
        for count in range(1, 4):
            program = self.call(address, self.ports[0])
            stream = self.streams.wait_offered(count)[-1].accept()
            stream.send_eof()  # the agent's side closes first, and the kernel keeps the port for a while
            read_all(program)
            program.close()
            stream.wait_eof()
            self.answer(NAME, [])
            self.streams.pass_barrier()
            self.assertFalse(self.listens(address, self.ports[0]))
            self.assertEqual(self.ask_address(NAME), address)

    def test_gives_the_next_address_when_two_names_fall_on_one(self):
        # FNV-1a of both falls on one place of the 2^23 - 1.
        first, second = self.two_names_of_one_address()
        self.answers.update({first: [self.ports[0]], second: [self.ports[0]]})
        addresses = [self.ask_address(first), self.ask_address(second)]
        self.assertEqual(addresses[0], choose_address(second, ()))
        self.assertEqual(addresses[1], choose_address(second, addresses[:1]))
        for count, (name, address) in enumerate(zip((first, second), addresses), 1):
            self.call(address, self.ports[0])
            self.assertEqual(self.streams.wait_offered(count)[-1].header["name"], name)

    def two_names_of_one_address(self):
        seen = {}
        for number in range(100000):
            name = "n%d.example" % number
            other = seen.setdefault(choose_address(name, ()), name)
            if other != name:
                return other, name
        raise AssertionError("there are none")

    def test_gives_256_names_an_address_and_no_more(self):
        names = ["n%d.example" % number for number in range(257)]
        self.answers.update({name: [] for name in names})
        for name in names[:256]:
            self.ask_address(name)
        self.assertEqual(self.ask(names[256]).code, SERVER_FAILURE)
        self.ask_address(names[0])
        self.answers[names[5]] = "refused"
        self.assertEqual(self.ask(names[5]).code, NO_SUCH_NAME)
        self.ask_address(names[256])

    def test_listens_on_1024_ports_and_no_more(self):
        ports = sorted({self.unused_port() for _ in range(40)})[:16]
        names = ["n%d.example" % number for number in range(65)]
        self.answers.update({name: ports for name in names})
        addresses = [self.ask_address(name) for name in names[:64]]
        self.assertEqual(self.ask(names[64]).code, SERVER_FAILURE)
        for address in addresses[::20]:
            self.assertTrue(self.listens(address, ports[-1]))
        self.forget_offered()
        self.answers[names[5]] = ports[:-1]
        self.ask_address(names[5])
        self.answers[names[64]] = ports[-1:]
        self.ask_address(names[64])
        self.answers[names[5]] = ports
        self.assertEqual(self.ask(names[5]).code, SERVER_FAILURE)
        self.assertEqual(self.ask_address(names[6]), addresses[6])

    def test_may_open_as_many_files_as_the_sandbox_allows(self):
        self.agent.close()
        self.agent = self.open_agent()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(self.agent.process.pid, resource.RLIMIT_NOFILE, (hard // 2, hard))
        self.take_over(self.agent)
        self.assertEqual(resource.prlimit(self.only_relay(), resource.RLIMIT_NOFILE), (hard, hard))
        self.assertEqual(resource.prlimit(self.agent.process.pid, resource.RLIMIT_NOFILE), (hard // 2, hard))

    def test_answers_and_tries_again_when_there_is_no_open_file_left(self):
        relay = self.only_relay()
        limits = resource.prlimit(relay, resource.RLIMIT_NOFILE)
        # No fewer than the three that it polls.
        resource.prlimit(relay, resource.RLIMIT_NOFILE, (3, limits[1]))
        address = self.ask_address(NAME)
        program = self.program(socket.SOCK_STREAM)
        self.send_by_tcp(program, make_query("localhost"))
        self.assertFalse(self.listens(address, self.ports[0]))
        self.streams.pass_barrier()  # by now it has tried to accept
        resource.prlimit(relay, resource.RLIMIT_NOFILE, limits)
        self.assertTrue(self.receive_by_tcp(program).address)
        self.assertEqual(self.ask_address(NAME), address)
        self.assertTrue(self.listens(address, self.ports[0]))

    def test_serves_the_host_when_10000_connections_come(self):
        address = self.ask_address(NAME)
        relay = self.only_relay()
        targets = [(address, self.ports[0]), (address, self.ports[1]), ("127.0.0.1", self.dns_port)]
        for count in range(100):
            programs = []
            for number in range(100):
                program = socket.socket()
                program.setblocking(False)
                self.assertEqual(program.connect_ex(targets[number % 3]), errno.EINPROGRESS)
                programs.append(program)
            for number, program in enumerate(programs):
                with contextlib.suppress(OSError):
                    if number % 5 == count % 5:
                        program.send(b"\0\x20never finished")
                    if number % 7 == 0:
                        program.shutdown(socket.SHUT_WR)
            if count % 10 == 9:
                self.forget_offered()
            for program in programs:
                program.close()
        self.forget_offered()
        self.assertEqual(self.only_relay(), relay)
        server = self.server()
        stream = self.streams.connect(server.getsockname()[1])
        stream.send_data(b"alive")
        self.assertEqual(read_exactly(self.accept(server), 5), b"alive")
        self.assertEqual(self.ask_address(NAME), address)
        program = self.call(address, self.ports[0])
        program.sendall(b"served")
        self.agent.pump_until(lambda: self.accept_all(b"served"))
        program = self.program(socket.SOCK_STREAM)
        self.send_by_tcp(program, make_query("localhost"))
        self.assertEqual(self.receive_by_tcp(program).address, "127.0.0.1")

    def accept_all(self, data):
        """Accepts what is offered. Returns whether a stream has brought the data."""
        for stream in self.streams.offered:
            if stream.accepted is None and not stream.sent_reset and not stream.reset:
                stream.accept()
        return any(stream.data == data for stream in self.streams.offered)

    def test_takes_no_connection_past_256_streams_and_answers_queries_still(self):
        address = self.ask_address(NAME)
        limit = frames.MAX_STREAMS - 1  # the resolver is one
        programs = []
        for count in range(1, limit + 1):
            programs.append(self.call(address, self.ports[count % 2]))
            self.streams.wait_offered(count)[-1].accept()
        self.call(address, self.ports[0])
        self.assertEqual(self.streams.open("connect", port=1).wait_reset().code, "TOO_MANY_STREAMS")
        self.assertEqual(len(self.streams.offered), limit)
        self.answers["other.example"] = [self.ports[0]]
        other = self.ask_address("other.example")
        self.call(other, self.ports[0])
        self.streams.offered[9].send_reset()
        self.streams.offered[10].send_reset()
        names = {stream.header["name"] for stream in self.streams.wait_offered(limit + 2)[limit:]}
        self.assertEqual(names, {NAME, "other.example"})


class ReplacedTest(ResolverTestCase):
    changes = (
        ("streams.outgoing", "_MAX_IDLE_SECONDS = 60.0", "_MAX_IDLE_SECONDS = 0.0"),
        ("streams.outgoing", "_MAX_NAMES = 256", "_MAX_NAMES = 3"),
        ("streams.outgoing", "_MAX_LISTENERS = 1024", "_MAX_LISTENERS = 4"),
    )

    def test_forgets_the_name_that_is_unused_longest_when_there_is_no_room(self):
        port = self.unused_port()
        self.answers.update({name: [port] for name in "abcd"})
        addresses = {name: self.ask_address(name) for name in "abc"}
        self.ask_address("a")
        self.call(addresses["b"], port)
        self.streams.wait_offered(1)[0].accept()
        self.ask_address("d")
        self.assertFalse(self.listens(addresses["c"], port))
        for name in "ab":
            self.assertTrue(self.listens(addresses[name], port))

    def test_forgets_as_many_names_as_it_takes_when_one_has_many_ports(self):
        ports = sorted({self.unused_port() for _ in range(8)})[:5]
        self.answers.update({"a": ports[:1], "b": ports[:1], "c": ports[:4], "d": ports[:5]})
        first = self.ask_address("a")
        self.ask_address("b")
        address = self.ask_address("c")
        self.assertFalse(self.listens(first, ports[0]))
        for port in ports[:4]:
            self.assertTrue(self.listens(address, port))
        self.assertEqual(self.ask("d").code, SERVER_FAILURE)  # more than there can be

    def test_goes_on_with_the_same_name_when_only_its_ports_change(self):
        ports = sorted({self.unused_port() for _ in range(8)})[:4]
        for count in (1, 4, 2, 3):
            self.answers["a"] = ports[:count]
            address = self.ask_address("a")
            self.assertEqual([self.listens(address, port) for port in ports], [True] * count + [False] * (4 - count))

    def test_forgets_another_name_when_the_one_that_gets_more_ports_is_unused_longest(self):
        ports = sorted({self.unused_port() for _ in range(8)})[:3]
        self.answers.update({"a": ports[:1], "b": ports[:2]})
        address, other = self.ask_address("a"), self.ask_address("b")
        self.answer("a", ports)
        self.streams.pass_barrier()
        self.assertEqual([self.listens(address, port) for port in ports], [True] * 3)
        self.assertFalse(self.listens(other, ports[0]))
