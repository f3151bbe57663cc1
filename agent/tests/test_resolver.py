import contextlib
import os
import random
import signal
import socket
import struct

import dns_client
from dns_client import AAAA, FORMAT_ERROR, NO_ERROR, NO_SUCH_NAME, NOT_IMPLEMENTED, PTR, SERVER_FAILURE, make_query
from harness import DEADLINE_SECONDS, frames
from resolver_test_case import ResolverTestCase
from stream_test_case import read_exactly

# So that no test succeeds because an idle connection is closed.
NEVER_IDLE = (("streams.query_connections", "_IDLE_SECONDS = 10.0", "_IDLE_SECONDS = 1000.0"),)
LONGEST = ".".join(["a" * 63] * 3 + ["b" * 61])  # 253 bytes


class QueryTest(ResolverTestCase):
    def test_gives_each_allowed_name_an_address_of_its_own_when_it_is_asked_for(self):
        names = ["a.example", "b.example", "mirror", "_x-1.example", "1.example", LONGEST]
        self.answers.update({name: [] for name in names})
        addresses = [self.ask_address(name) for name in names]
        self.assertEqual(self.asked, names)
        self.assertEqual(len(set(addresses)), len(names))
        for address in addresses:
            first, second, *_ = map(int, address.split("."))
            self.assertEqual((first, second >= 128), (127, True), address)
        self.assertEqual(self.ask("mirror").ttl, 10)
        self.assertEqual([self.ask_address(name) for name in names], addresses)

    def test_gives_a_name_the_same_address_when_another_agent_serves_the_sandbox(self):
        self.answers["a.example"] = []
        address = self.ask_address("a.example")
        self.open_next_agent()
        self.assertEqual(self.ask_address("a.example"), address)

    def test_asks_in_lower_case_and_repeats_the_programs_own_bytes(self):
        self.answers["pypi.org"] = []
        reply = self.ask("PyPI.oRG.")
        self.assertEqual(self.asked, ["pypi.org"])
        self.assertEqual(reply.question[:-4], b"\x04PyPI\x03oRG\0")
        self.assertEqual(reply.address, self.ask_address("pypi.org"))

    def test_gives_no_record_when_another_type_of_an_allowed_name_is_asked_for(self):
        self.answers["a.example"] = [8080]
        kinds = [kind for kind in range(300) if kind not in (dns_client.A, PTR)] + [32768, 65535]
        for kind in kinds:
            reply = self.ask("a.example", kind)
            self.assertEqual((reply.code, reply.data), (NO_ERROR, None), kind)
        self.assertEqual(self.asked, ["a.example"] * len(kinds))

    def test_says_that_there_is_no_such_name_when_the_host_refuses_it(self):
        for kind in (dns_client.A, AAAA, dns_client.HTTPS, dns_client.ANY):
            reply = self.ask("no.example", kind)
            self.assertEqual((reply.code, reply.data), (NO_SUCH_NAME, None))
        self.assertEqual(self.asked, ["no.example"] * 4)

    def test_says_that_the_server_failed_when_the_host_could_not_resolve_the_name(self):
        self.answers["down.example"] = "failed"
        for kind in (dns_client.A, AAAA):
            self.assertEqual(self.ask("down.example", kind).code, SERVER_FAILURE)

    def test_asks_the_host_for_no_name_that_can_be_none(self):
        literals = "127.0.0.1", "127.1", "1", "2130706433", "0x7f.1", "0X7F000001", "1.2.3.4.", "a.1", "a.0x", "a.0xfF"
        others = b"a b", b"a\0", b"b\xc3\xbccher", b"\xff", b"a.b", b"a/b", b"a:1", b"*", b"a@b", b"a\n", b'a"', b"a\\", b"\x7f"
        names = [*literals, *([label, b"example"] for label in others), [b"example", b"c\xc3\xb4m"], "::1", ""]
        for name in names:
            for kind in (dns_client.A, AAAA, dns_client.TXT):
                reply = self.ask(name, kind)
                self.assertEqual((reply.code, reply.data), (NO_SUCH_NAME, None), name)
        self.assertEqual(self.asked, [])

    def test_asks_the_host_for_no_service_of_a_name_and_for_every_address(self):
        service = "_http._tcp.deb.example"
        for kind in (dns_client.SRV, dns_client.HTTPS, dns_client.TXT, dns_client.ANY):
            self.assertEqual(self.ask(service, kind).code, NO_SUCH_NAME)
        self.assertEqual(self.asked, [])
        self.answers[service] = []
        for kind in (dns_client.A, AAAA):
            self.assertEqual(self.ask(service, kind).code, NO_ERROR)
        self.assertEqual(self.asked, [service] * 2)

    def test_asks_for_a_name_whose_last_label_only_begins_as_a_number(self):
        for name in ("1a", "a.0xg", "1.0x1.a", "x0"):
            self.ask(name)
        self.assertEqual(self.asked, ["1a", "a.0xg", "1.0x1.a", "x0"])

    def test_answers_for_localhost_without_the_host(self):
        for name in ("localhost", "LocalHost.", "a.b.localhost"):
            self.assertEqual(self.ask(name).address, "127.0.0.1")
            self.assertEqual(self.ask(name, AAAA).data, bytes(15) + b"\1")
            reply = self.ask(name, dns_client.TXT)
            self.assertEqual((reply.code, reply.data), (NO_ERROR, None))
        self.assertEqual(self.asked, [])
        self.ask("notlocalhost")
        self.ask("localhost.example")
        self.assertEqual(self.asked, ["notlocalhost", "localhost.example"])

    def test_names_an_address_when_it_is_one_of_ours(self):
        for name in ("a.example", LONGEST):
            self.answers[name] = []
            address = self.ask_address(name)
            backwards = ".".join(reversed(address.split(".")))
            self.assertEqual(self.ask(backwards + ".in-addr.arpa", PTR).name, name)
            self.assertEqual(self.ask(backwards + ".IN-ADDR.ARPA.", PTR).name, name)
            for other in (backwards, backwards + ".ip6.arpa", "0." + backwards + ".in-addr.arpa", "00" + backwards + ".in-addr.arpa"):
                self.assertEqual(self.ask(other, PTR).code, NO_SUCH_NAME)
        for other in ("", "arpa", "in-addr.arpa", "1.0.0.127.in-addr.arpa", "8.8.8.8.in-addr.arpa", "a.example", [b"\xff", b"in-addr", b"arpa"]):
            self.assertEqual(self.ask(other, PTR).code, NO_SUCH_NAME)
        self.answers["a.example"] = "refused"
        self.ask("a.example")
        backwards = ".".join(reversed(address.split(".")))
        self.assertEqual(self.ask(backwards + ".in-addr.arpa", PTR).name, LONGEST)
        self.assertEqual(set(self.asked), {"a.example", LONGEST})

    def test_ignores_what_comes_after_the_question(self):
        self.answers["a.example"] = []
        for more in (dns_client.opt_record(), b"\0", bytes(100), os.urandom(5000)):
            self.assertTrue(self.ask("a.example", more=more).address)

    def test_says_what_is_wrong_when_a_query_is_malformed(self):
        good = make_query("a.example")
        header, question = good[:12], good[12:]
        for message, code in (
            (header, FORMAT_ERROR),
            (good[:-1], FORMAT_ERROR),
            (make_query("a.example", questions=0), FORMAT_ERROR),
            (make_query("a.example", questions=2) + question, FORMAT_ERROR),
            (make_query("a.example", questions=65535), FORMAT_ERROR),
            (header + b"\xc0\x0c\0\1\0\1", FORMAT_ERROR),  # a pointer to itself
            (header + b"\1a\xc0\x0c\0\1\0\1", FORMAT_ERROR),
            (header + b"\x40a\0\0\1\0\1", FORMAT_ERROR),
            (header + b"\x80a\0\0\1\0\1", FORMAT_ERROR),
            (header + b"\x3fa\0\0\1\0\1", FORMAT_ERROR),
            (header + b"\1a" * 200, FORMAT_ERROR),
            (make_query([b"a" * 60] * 5), FORMAT_ERROR),  # 300 characters
            (make_query([b"a" * 63] * 3 + [b"b" * 62]), FORMAT_ERROR),  # one byte too many
            (make_query("a.example", of_class=3), NOT_IMPLEMENTED),
            (make_query("a.example", of_class=255), NOT_IMPLEMENTED),
            *((make_query("a.example", flags=opcode << 11), NOT_IMPLEMENTED) for opcode in range(1, 16)),
            (header[:2] + b"\x28\0" + header[4:] + b"\xff", NOT_IMPLEMENTED),
        ):
            reply = self.exchange(message)
            self.assertEqual((reply.id, reply.code, reply.data), (7, code, None), message)
            self.assertEqual(reply.opcode, message[2] >> 3 & 15)
        self.assertEqual(self.asked, [])

    def test_gives_no_reply_to_what_is_no_query(self):
        good = make_query("localhost")
        program = self.program()
        for message in (b"", b"\0", good[:11], bytes((*good[:2], good[2] | 0x80, *good[3:])), b"\xff" * 512):
            program.send(message)
        program.send(make_query("localhost", query_id=9))
        self.assertEqual(dns_client.Reply(self.receive(program)).id, 9)

    def test_repeats_only_the_flag_that_asks_for_recursion(self):
        for flags, repeated in ((0x0100, 0x0100), (0, 0), (0x07FF, 0x0100)):
            self.assertEqual(self.ask("localhost", flags=flags).flags, 0x8080 | repeated)


class WaitingTest(ResolverTestCase):
    def test_asks_once_when_many_wait_for_one_name(self):
        self.answers["a.example"] = None
        program = self.program()
        for number in range(100):
            program.send(make_query("A.example", query_id=number))
        self.serve_until(lambda: self.asked)
        self.ask("localhost")  # once the agent has read what came before
        self.take_questions()
        self.assertEqual(self.asked, ["a.example"])
        self.answer("a.example", [])
        for number in range(100):
            reply = dns_client.Reply(self.receive(program))
            self.assertEqual((reply.id, bool(reply.address)), (number, True))

    def test_lets_64_names_wait_and_no_more(self):
        names = ["n%d.example" % number for number in range(66)]
        self.answers.update({name: None for name in names})
        program = self.program()
        for number, name in enumerate(names[:65]):
            program.send(make_query(name, query_id=number))
        reply = dns_client.Reply(self.receive(program))
        self.assertEqual((reply.id, reply.code), (64, SERVER_FAILURE))
        self.serve_until(lambda: len(self.asked) == 64)
        self.answer(names[3], "refused")
        reply = dns_client.Reply(self.receive(program))
        self.assertEqual((reply.id, reply.code), (3, NO_SUCH_NAME))
        program.send(make_query(names[65], query_id=65))
        self.serve_until(lambda: names[65] in self.asked)
        self.assertEqual(self.asked, names[:64] + names[65:])

    def test_answers_each_program_when_the_host_answers_in_another_order(self):
        programs = {}
        for number in range(60):
            name = "n%d.example" % number
            self.answers[name] = None
            programs[name] = self.program()
            programs[name].send(make_query(name, query_id=number))
        self.serve_until(lambda: len(self.asked) == 60)
        names = list(programs)
        random.Random(1).shuffle(names)
        for name in names:
            self.answer(name, [])
            reply = dns_client.Reply(self.receive(programs[name]))
            self.assertEqual(reply.question[:-4], dns_client.encode(name))
            self.assertTrue(reply.address)

    def test_writes_no_question_past_the_hosts_credit(self):
        self.resolver.auto_credit = False
        number = 0
        size = len(b'{"name":""}\n') + 253
        while self.resolver.window >= size:
            name = "%s%060da" % (LONGEST[:-61], number)
            number += 1
            self.assertEqual(self.ask(name).code, NO_SUCH_NAME)
        self.assertEqual(number, frames.STREAM_WINDOW // size)
        self.answers["late.example"] = []
        programs = [self.program() for _ in range(2)]
        programs[0].send(make_query("%s%060da" % (LONGEST[:-61], number)))
        programs[1].send(make_query("late.example"))
        self.assertEqual(self.ask("localhost").address, "127.0.0.1")
        self.streams.pass_barrier()
        self.assertEqual(len(self.asked), number)
        self.resolver.grant(size)
        self.assertEqual(dns_client.Reply(self.receive(programs[0])).code, NO_SUCH_NAME)
        self.resolver.grant(size)
        self.assertTrue(dns_client.Reply(self.receive(programs[1])).address)

    def test_takes_answers_in_pieces_and_gives_credit_for_them(self):
        self.answers["a.example"] = None
        program = self.program()
        program.send(make_query("a.example"))
        self.serve_until(lambda: self.asked)
        filler = b"".join(b'{"name":"n%d.example","ports":[80]}\n' % number for number in range(10000))
        self.assertGreater(len(filler), 4 * frames.STREAM_WINDOW)
        self.resolver.send_data(filler)
        line = b'{"name":"a.example","ports":[]}\n'
        for place in range(len(line)):
            self.resolver.send_data(line[place : place + 1])
        self.assertTrue(dns_client.Reply(self.receive(program)).address)
        self.assertEqual(self.ask("n1.example").code, NO_SUCH_NAME)  # nobody had asked for it


class DeadlineTest(ResolverTestCase):
    changes = (("names.questions", "_SECONDS = 8.0", "_SECONDS = 0.3"),)

    def test_says_that_the_server_failed_when_the_host_does_not_answer_in_time(self):
        self.answers["slow.example"] = None
        program = self.program()
        for _ in range(3):
            program.send(make_query("slow.example", query_id=1))
            program.send(make_query("slow.example", AAAA, query_id=2))
            replies = [dns_client.Reply(self.receive(program)) for _ in range(2)]
            self.assertEqual([(reply.id, reply.code) for reply in replies], [(1, SERVER_FAILURE), (2, SERVER_FAILURE)])
            self.take_questions()
            self.assertEqual(self.asked, ["slow.example"])  # the host has the question still
        self.answer("slow.example", [80])  # too late for anybody
        self.streams.pass_barrier()
        self.answers["slow.example"] = []
        self.assertTrue(self.ask_address("slow.example"))
        self.take_questions()
        self.assertEqual(self.asked, ["slow.example"] * 2)

    def test_says_so_too_when_the_host_gives_no_credit(self):
        self.resolver.auto_credit = False
        while self.resolver.window > 300:
            self.ask(LONGEST)
        asked = len(self.asked)
        program = self.program()
        for _ in range(2):
            program.send(make_query("x" + LONGEST[1:]))
            program.send(make_query("y" + LONGEST[1:]))
            for _ in range(2):
                self.assertEqual(dns_client.Reply(self.receive(program)).code, SERVER_FAILURE)
        self.assertLessEqual(len(self.asked), asked + 1)

    def test_frees_the_places_when_the_host_answers_or_has_not_been_asked(self):
        names = ["n%d.example" % number for number in range(64)]
        self.answers.update({name: None for name in [*names, "a.example"]})
        program = self.program()
        for _ in range(2):
            for name in names:
                program.send(make_query(name))
            for name in names:
                self.assertEqual(dns_client.Reply(self.receive(program, again=make_query(name))).code, SERVER_FAILURE)
        self.take_questions()
        self.assertEqual(self.asked, names)
        self.assertEqual(self.ask("a.example").code, SERVER_FAILURE)
        self.take_questions()
        self.assertEqual(self.asked, names)  # there was no place for it
        for name in names:
            self.answer(name, [])
        self.resolver.auto_credit = False
        while self.resolver.window > 300:
            self.ask(LONGEST)
        for _ in range(3):
            for number in range(64):
                program.send(make_query("%s%060da" % (LONGEST[:-61], number)))
            for _ in range(64):
                self.assertEqual(dns_client.Reply(self.receive(program)).code, SERVER_FAILURE)
        self.resolver.grant(1000)
        self.answers["a.example"] = []
        self.assertTrue(self.ask_address("a.example"))


class TcpTest(ResolverTestCase):
    changes = NEVER_IDLE

    def tcp(self):
        return self.program(socket.SOCK_STREAM)

    def test_answers_several_queries_on_one_connection(self):
        self.answers["a.example"] = []
        program = self.tcp()
        kinds = [dns_client.A, AAAA, PTR, dns_client.A]
        self.send_by_tcp(program, *(make_query("a.example", kind, query_id=kind) for kind in kinds))
        replies = [self.receive_by_tcp(program) for _ in kinds]
        self.assertEqual(sorted(reply.id for reply in replies), sorted(kinds))
        addresses = {reply.address for reply in replies if reply.id == dns_client.A}
        self.assertEqual(addresses, {self.ask_address("a.example")})
        self.send_by_tcp(program, make_query("localhost", flags=1 << 11))
        self.assertEqual(self.receive_by_tcp(program).code, NOT_IMPLEMENTED)

    def test_answers_when_a_query_comes_byte_by_byte(self):
        self.answers["a.example"] = []
        program = self.tcp()
        program.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        message = make_query("a.example", more=dns_client.opt_record())
        for byte in struct.pack(">H", len(message)) + message:
            program.send(bytes((byte,)))
            self.streams.pass_barrier()
        self.assertTrue(self.receive_by_tcp(program).address)

    def test_answers_what_was_asked_when_the_program_has_shut_its_side(self):
        self.answers.update({"a.example": None, "b.example": None})
        program = self.tcp()
        self.send_by_tcp(program, make_query("a.example"), make_query("b.example"))
        program.shutdown(socket.SHUT_WR)
        self.serve_until(lambda: len(self.asked) == 2)
        self.answer("b.example", [])
        self.assertTrue(self.receive_by_tcp(program).address)
        self.answer("a.example", "refused")
        self.assertEqual(self.receive_by_tcp(program).code, NO_SUCH_NAME)
        self.assertEqual(self.receive(program), b"")

    def test_closes_a_connection_that_says_what_is_no_query(self):
        for data in (struct.pack(">H", 513), b"\xff\xff", b"GET / HTTP/1.1\r\n"):
            program = self.tcp()
            program.sendall(data)
            self.assertEqual(self.receive(program), b"")

    def test_gives_no_reply_to_what_is_no_query_and_reads_on(self):
        program = self.tcp()
        self.send_by_tcp(program, b"", b"\0" * 11, b"\xff" * 512, make_query("localhost", query_id=5))
        self.assertEqual(self.receive_by_tcp(program).id, 5)

    def test_serves_16_connections_at_a_time(self):
        programs = [self.tcp() for _ in range(17)]
        for number, program in enumerate(programs):
            self.send_by_tcp(program, make_query("localhost", query_id=number))
        for number, program in enumerate(programs[:16]):
            self.assertEqual(self.receive_by_tcp(program).id, number)
        self.streams.pass_barrier()
        with self.assertRaises(BlockingIOError):
            programs[16].setblocking(False)
            programs[16].recv(1)
        programs[7].close()
        self.assertEqual(self.receive_by_tcp(programs[16]).id, 16)

    def test_lives_on_when_connections_break_while_their_queries_wait(self):
        for number in range(40):
            name = "n%d.example" % number
            self.answers[name] = None
            program = self.tcp()
            self.send_by_tcp(program, make_query(name))
            self.serve_until(lambda: name in self.asked)
            program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            program.close()
        for number in range(40):
            self.answer("n%d.example" % number, [])
        self.assertEqual(self.ask("localhost").address, "127.0.0.1")
        program = self.tcp()
        self.send_by_tcp(program, make_query("localhost"))
        self.assertTrue(self.receive_by_tcp(program).address)

    def test_answers_others_when_a_program_reads_none_of_its_replies(self):
        relay = self.only_relay()
        self.ask("localhost")
        memory = self.memory_of(relay)
        program = self.tcp()
        message = make_query([b"\xff" * 63] * 3)
        count = 40000
        thread = self.in_thread(program.sendall, (struct.pack(">H", len(message)) + message) * count)
        for _ in range(4000):  # 512 bytes each, if it read on
            self.streams.pass_barrier()
        self.assertEqual(self.ask("localhost").address, "127.0.0.1")
        self.assertLess(self.memory_of(relay) - memory, 1 << 20)
        for _ in range(count):
            code = struct.unpack(">HHH", read_exactly(program, 2 + len(message))[:6])[2] & 15
            self.assertEqual(code, NO_SUCH_NAME)
        thread.join()


class IdleTest(ResolverTestCase):
    changes = (("streams.query_connections", "_IDLE_SECONDS = 10.0", "_IDLE_SECONDS = 0.5"),)

    def test_closes_connections_that_stand_still(self):
        programs = [self.program(socket.SOCK_STREAM) for _ in range(16)]
        for number, program in enumerate(programs):
            program.sendall([b"", b"\0", b"\0\x20abc", b"\0\x0c" + bytes(12) + b"\0"][number % 4])
        later = self.program(socket.SOCK_STREAM)
        self.send_by_tcp(later, make_query("localhost"))
        self.assertTrue(self.receive_by_tcp(later).address)
        for program in programs:
            while self.receive(program):
                pass

    def test_closes_a_connection_that_sends_a_byte_now_and_then(self):
        program = self.program(socket.SOCK_STREAM)
        message = struct.pack(">H", 512) + bytes(512)
        with self.assertRaises(ConnectionError):
            for byte in message:
                program.send(bytes((byte,)))
                self.agent.pump(0.05)


class LifeTest(ResolverTestCase):
    changes = NEVER_IDLE

    def test_lets_another_agent_resolve_when_the_first_has_ended(self):
        other = self.open_agent()
        for _ in range(2):
            self.assertEqual(other.streams.open("resolver").wait_reset().code, "ADDRESS_IN_USE")
        self.assertEqual(self.streams.open("resolver").wait_reset().code, "ADDRESS_IN_USE")
        program = self.program(socket.SOCK_STREAM)
        self.send_by_tcp(program, make_query("localhost"))
        self.receive_by_tcp(program)
        self.agent.close()
        self.take_over(other)
        self.answers["a.example"] = []
        self.assertTrue(self.ask_address("a.example"))

    def test_says_so_when_a_program_has_the_port(self):
        self.resolver.send_eof()
        self.resolver.wait_eof()
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for address in ("127.0.0.1", "0.0.0.0"):
                with socket.socket(socket.AF_INET, kind) as program:
                    program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                    program.bind((address, self.dns_port))
                    if kind == socket.SOCK_STREAM:
                        program.listen()
                    self.assertEqual(self.streams.open("resolver").wait_reset().code, "ADDRESS_IN_USE")
        self.open_resolver()
        self.assertTrue(self.ask("localhost").address)

    def test_shares_its_port_with_no_program(self):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for address in ("127.0.0.1", "0.0.0.0"):
                with socket.socket(socket.AF_INET, kind) as program, self.assertRaises(OSError):
                    program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                    program.bind((address, self.dns_port))
                    program.listen() if kind == socket.SOCK_STREAM else None

    def test_closes_all_its_sockets_and_no_connection_when_the_host_ends_it(self):
        ports = [self.unused_port(), self.unused_port()]
        self.answers["a.example"] = ports
        for end in ("send_eof", "send_reset"):
            address = self.ask_address("a.example")
            program = self.call(address, ports[0])
            stream = self.streams.wait_offered(len(self.streams.offered) + 1)[-1].accept()
            asker = self.program(socket.SOCK_STREAM)
            getattr(self.resolver, end)()
            if end == "send_eof":
                self.resolver.wait_eof()
            self.streams.pass_barrier()
            for port in ports:
                self.assertFalse(self.listens(address, port))
            self.assertFalse(self.listens("127.0.0.1", self.dns_port))
            self.assertEqual(asker.recv(1), b"")
            datagrams = self.program()
            datagrams.settimeout(DEADLINE_SECONDS)
            with self.assertRaises(ConnectionRefusedError):
                datagrams.send(make_query("localhost"))
                datagrams.recv(512)
            stream.send_data(b"on")
            self.assertEqual(read_exactly(program, 2), b"on")
            self.open_resolver()

    def test_can_be_opened_again_when_the_relay_was_killed(self):
        port = self.unused_port()
        self.answers.update({"a.example": [port], "b.example": None})
        for _ in range(3):
            address = self.ask_address("a.example")
            program = self.call(address, port)
            self.program().send(make_query("b.example"))
            asked = len(self.asked)
            self.serve_until(lambda: len(self.asked) > asked)
            os.kill(self.only_relay(), signal.SIGKILL)
            self.assertEqual(self.resolver.wait_reset().code, "SANDBOX_LOST")
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(program.recv(1), b"")
            self.open_resolver()

    def test_says_why_when_it_cannot_listen(self):
        self.agent.close()
        self.changes = (("streams.resolver", '_ADDRESS = "127.0.0.1"', '_ADDRESS = "192.0.2.1"'),)
        self.agent = self.open_agent()
        refused = self.agent.streams.open("resolver").wait_reset()
        self.assertEqual(refused.reset, {"code": "LISTEN_FAILED", "detail": "Cannot assign requested address."})

    def test_ends_the_channel_when_a_line_is_malformed(self):
        # test_names.py has the other malformed lines.
        for line in (b"{}\n", b'{"name":"a","refused":true}\n\n', b'{"name":"%s","refused":true}\n' % (b"a" * 500), b"x" * 512):
            with self.subTest(line=line):
                self.resolver.send_data(line)
                with self.assertRaises((EOFError, ConnectionError)):
                    self.agent.pump_until(lambda: False)
                self.assertEqual(self.agent.process.wait(DEADLINE_SECONDS), 0)
                self.open_next_agent()

    def test_ends_the_channel_when_a_frame_may_not_come_now(self):
        for kind, payload in ((frames.STREAM_ACCEPT, b"{}"), (frames.STREAM_OPEN, b'{"kind":"resolver"}')):
            self.agent.send(kind, self.resolver.id, payload)
            with self.assertRaises((EOFError, ConnectionError)):
                self.agent.pump_until(lambda: False)
            self.open_next_agent()


class HostilityTest(ResolverTestCase):
    def test_lives_and_answers_the_next_query_when_20000_datagrams_are_fuzz(self):
        relay = self.only_relay()
        numbers = random.Random(20251129)
        seeds = [make_query(name, kind, more=more) for name in ("a.example", LONGEST, "localhost", "1.0.0.127.in-addr.arpa") for kind in (1, 12, 28, 255) for more in (b"", dns_client.opt_record())]
        self.answers["a.example"] = [self.unused_port()]
        program = self.program()
        replies = 0
        for _ in range(20000 // 50):
            for _ in range(50):
                program.send(self.fuzz(numbers, seeds))
            program.send(make_query("localhost", query_id=0xABCD, flags=0))
            while True:
                reply = dns_client.Reply(self.receive(program))
                replies += 1
                if (reply.id, reply.flags) == (0xABCD, 0x8080):
                    break
        self.assertGreater(replies, 5000)
        self.assertTrue(self.ask_address("a.example"))
        self.assertEqual(self.only_relay(), relay)

    def fuzz(self, numbers, seeds):
        message = bytearray(numbers.choice(seeds))
        way = numbers.randrange(8)
        if way == 0:
            return numbers.getrandbits(8 * 600).to_bytes(600, "big")[: numbers.randrange(600)]
        if way == 1:
            return bytes(message[: numbers.randrange(len(message) + 1)])
        if way == 2:
            place = numbers.randrange(len(message))
            message[place:place] = bytes(message[numbers.randrange(len(message)) :])
        if way == 3:
            return bytes(message[:12]) + b"".join(numbers.choice((b"\0", b"\xc0\x0c", b"\x3f", b"\1a", b"\xff")) for _ in range(numbers.randrange(150)))
        for _ in range(numbers.randrange(1, 6)):
            message[numbers.randrange(len(message))] = numbers.randrange(256)
        return bytes(message)

    def test_lives_when_connections_send_fuzz(self):
        relay = self.only_relay()
        numbers = random.Random(7)
        for _ in range(1000):
            program = self.program(socket.SOCK_STREAM)
            with contextlib.suppress(OSError):
                for _ in range(numbers.randrange(4)):
                    data = numbers.getrandbits(8 * 64).to_bytes(64, "big")[: numbers.randrange(64)]
                    program.sendall(data if numbers.randrange(2) else struct.pack(">H", len(data)) + data)
                if numbers.randrange(2):
                    program.shutdown(socket.SHUT_WR)
            program.close()
        program = self.program(socket.SOCK_STREAM)
        self.send_by_tcp(program, make_query("localhost"))
        self.assertTrue(self.receive_by_tcp(program).address)
        self.assertEqual(self.only_relay(), relay)

    def test_offers_a_connection_between_the_queries_when_many_wait(self):
        relay = self.only_relay()
        listener = self.streams.listen()
        order = []
        take = self.streams.take
        self.streams.take = lambda kind, *rest: (order.append(kind), take(kind, *rest))
        os.kill(relay, signal.SIGSTOP)
        self.call_listener(listener)
        program = self.program()
        for number in range(64):
            program.send(make_query("n%d.example" % number))
        os.kill(relay, signal.SIGCONT)
        self.streams.wait_offered(1)
        self.serve_until(lambda: len(self.asked) == 64)
        self.assertLess(order.index(frames.STREAM_OPEN), 20)

    def test_serves_others_and_keeps_its_size_when_50000_queries_come_and_nobody_reads(self):
        relay = self.only_relay()
        self.answers["a.example"] = []
        self.ask_address("a.example")
        listener = self.streams.listen()
        memory = self.memory_of(relay)
        flooder = self.program()  # which reads no reply, as the host reads no question

        def flood():
            for number in range(50000):
                with contextlib.suppress(OSError):
                    flooder.send(make_query("n%d.example" % number))

        thread = self.in_thread(flood)
        rounds = 0
        while thread.is_alive() or rounds < 3:
            program = self.call_listener(listener)
            stream = self.streams.wait_offered(rounds + 1)[-1].accept()
            program.sendall(b"question")
            self.assertEqual(stream.wait_data(8), b"question")
            stream.send_data(b"answer")
            self.assertEqual(read_exactly(program, 6), b"answer")
            stream.send_reset()
            program.close()
            rounds += 1
        self.assertLess(self.memory_of(relay) - memory, 2 << 20)
        self.serve_until(lambda: len(self.asked) > 60)  # and its places are free again
        self.assertEqual(self.only_relay(), relay)
        # What waits of the flood may still take the places.
        self.eventually(lambda: self.ask("a.example").code == dns_client.NO_ERROR)
