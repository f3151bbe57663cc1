import contextlib
import os
import resource
import signal
import socket
import struct
import threading

from harness import DEADLINE_SECONDS, frames
from stream_test_case import StreamTestCase, read_all, read_exactly

LONG = os.urandom(8 << 20)


class ConnectTest(StreamTestCase):
    def test_carries_bytes_both_ways_when_the_host_connects_to_a_server(self):
        for address in ("127.0.0.1", "127.9.8.7", "::1"):
            server = self.server(address)
            stream = self.streams.connect(server.getsockname()[1], address=address)
            self.assertEqual(stream.accepted, {})
            connection = self.accept(server)
            stream.send_data(b"hello")
            self.assertEqual(read_exactly(connection, 5), b"hello")
            connection.sendall(b"world!")
            self.assertEqual(stream.wait_data(6), b"world!")

    def test_connects_to_127_0_0_1_when_the_host_names_no_address(self):
        server = self.server()
        self.streams.connect(server.getsockname()[1])
        self.accept(server)

    def test_lets_the_host_send_on_when_the_server_has_ended_its_side(self):
        stream, connection = self.connected()
        connection.sendall(b"answer")
        connection.shutdown(socket.SHUT_WR)
        stream.wait_eof()
        self.assertEqual(stream.data, b"answer")
        stream.send_data(b"x" * 200000)
        stream.send_eof()
        self.assertEqual(read_all(connection), b"x" * 200000)

    def test_lets_the_server_send_on_when_the_host_has_ended_its_side(self):
        stream, connection = self.connected()
        stream.send_data(b"question")
        stream.send_eof()
        self.assertEqual(read_all(connection), b"question")
        connection.sendall(b"y" * 200000)
        connection.close()
        self.assertEqual(stream.wait_eof().data, b"y" * 200000)

    def test_delivers_what_it_holds_when_both_sides_have_ended_and_the_server_reads_late(self):
        stream, connection = self.connected()
        # The window, and what the kernel takes for a server that reads nothing.
        sent = 0
        stream.send_data(LONG[: 64 << 10])
        sent += 64 << 10
        while True:
            self.streams.pass_barrier()
            if stream.credit == 0:
                break
            size = stream.credit
            stream.send_data(LONG[sent : sent + size])
            sent += size
        connection.shutdown(socket.SHUT_WR)
        stream.wait_eof()
        stream.send_eof()
        self.streams.pass_barrier()
        self.assertEqual(read_all(connection), LONG[:sent])
        self.assertIsNone(stream.reset)

    def test_carries_8_mib_both_ways_unchanged_when_both_sides_send_under_credit(self):
        stream, connection = self.connected()
        self.in_thread(self.echo, connection)
        stream.send_data(LONG)
        stream.send_eof()
        stream.wait_eof()
        self.assertTrue(stream.data == LONG)

    def test_carries_many_small_pieces_unchanged_when_the_server_reads_late(self):
        stream, connection = self.connected()
        for place in range(5000):
            stream.send_data(LONG[place : place + 1])
        stream.send_eof()
        self.assertTrue(read_all(connection) == LONG[:5000])

    def test_says_why_when_it_cannot_connect(self):
        self.assertEqual(self.streams.open("connect", port=self.unused_port()).wait_reset().code, "CONNECTION_REFUSED")
        for address in ("10.0.0.1", "0.0.0.0", "128.0.0.1", "localhost", "", "127.1", "::", "::ffff:127.0.0.1", "127.0.0.1\0", "\udcff"):
            refused = self.streams.open("connect", port=80, address=address).wait_reset()
            self.assertEqual(refused.reset, {"code": "CONNECTION_FAILED", "detail": "The address is not on the sandbox's own loopback."})
        self.assertEqual(self.streams.open("teleport", port=80).wait_reset().code, "INTERNAL_ERROR")

    def test_gives_up_when_the_server_does_not_take_the_connection(self):
        server = self.server(backlog=0)
        callers = []
        for _ in range(3):  # the kernel takes one or two for the server, and no more
            caller = socket.socket()
            self.addCleanup(caller.close)
            caller.setblocking(False)
            callers.append(caller.connect_ex(server.getsockname()))
        stream = self.streams.open("connect", port=server.getsockname()[1])
        self.assertEqual(stream.wait_reset().code, "CONNECTION_TIMED_OUT")

    def test_stops_connecting_when_the_host_resets_the_stream(self):
        server = self.server(backlog=0)
        for _ in range(3):
            caller = socket.socket()
            self.addCleanup(caller.close)
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        stream = self.streams.open("connect", port=server.getsockname()[1])
        stream.send_reset()
        self.streams.pass_barrier()
        self.assertEqual(stream.code, "STREAM_CLOSED")

    def test_resets_the_stream_when_the_server_resets_the_connection(self):
        stream, connection = self.connected()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        self.assertEqual(stream.wait_reset().reset, {"code": "CONNECTION_FAILED", "detail": "Connection reset by peer."})

    def test_gives_the_servers_answer_when_the_server_closes_while_the_host_still_sends(self):
        stream, connection = self.connected()
        stream.auto_credit = False
        connection.sendall(b"a" * 100000)
        stream.wait_data(frames.STREAM_WINDOW)
        stream.send_data(b"x" * 1000)
        read_exactly(connection, 500)
        connection.close()  # with bytes unread, so the kernel resets the connection
        for _ in range(20):
            stream.send_data(b"y" * 65536)
        stream.grant(1 << 20)
        stream.wait_reset()
        self.assertEqual((len(stream.data), stream.code), (100000, "CONNECTION_FAILED"))

    def test_resets_the_connection_when_the_host_resets_the_stream(self):
        stream, connection = self.connected()
        stream.send_reset()
        with self.assertRaises(ConnectionResetError):
            connection.recv(1)
        self.assertEqual(stream.wait_reset().code, "STREAM_CLOSED")
        # What crossed it is ignored.
        stream.send(frames.STREAM_DATA, b"late")
        stream.send(frames.STREAM_EOF)
        stream.send(frames.STREAM_CREDIT, bytes(4))
        stream.send(frames.STREAM_ACCEPT, b"{}")
        stream.send_reset()
        self.streams.pass_barrier()  # the harness refuses a second answer


class WindowTest(StreamTestCase):
    def test_sends_no_more_than_the_host_gives_credit_for(self):
        stream, connection = self.connected()
        stream.auto_credit = False
        self.in_thread(connection.sendall, LONG[: 1 << 20])
        stream.wait_data(frames.STREAM_WINDOW)
        for size in (10, 1, 100000):
            before = len(stream.data)
            stream.grant(size)
            stream.wait_data(before + size)
            self.streams.pass_barrier()
            self.assertEqual(len(stream.data), before + size)
        stream.auto_credit = True
        stream.grant(frames.STREAM_WINDOW)
        self.assertTrue(stream.wait_data(1 << 20) == LONG[: 1 << 20])

    def test_gives_no_credit_when_the_server_reads_nothing(self):
        stream, connection = self.connected()
        sent = 0
        while True:
            self.streams.pass_barrier()
            if stream.credit == 0:
                break
            sent += stream.credit
            stream.send_data(bytes(stream.credit))
            self.assertLess(sent, 64 << 20)
        self.assertEqual(read_exactly(connection, sent), bytes(sent))
        stream.wait(lambda: stream.credit >= frames.STREAM_WINDOW - (16 << 10))

    def test_lets_the_hosts_window_grow_for_4_long_transfers_at_a_time_when_their_programs_read(self):
        server = self.server()
        sent = LONG[: 512 << 10]

        def transfer(stream, connection):
            self.in_thread(read_exactly, connection, len(sent))
            stream.send_data(sent)

        pairs = [(self.streams.connect(server.getsockname()[1]), self.accept(server)) for _ in range(frames.MAX_WIDE_STREAMS + 1)]
        for pair in pairs:
            transfer(*pair)
        for stream, _ in pairs[:-1]:
            stream.wait(lambda: stream.credit > frames.WIDE_STREAM_WINDOW // 2)
        last = pairs[-1][0]
        last.wait(lambda: last.credit > frames.STREAM_WINDOW - (16 << 10))
        self.assertLessEqual(last.credit, frames.STREAM_WINDOW)
        pairs[0][0].send_reset()
        pairs[0][0].wait_reset()
        transfer(*pairs[-1])
        last.wait(lambda: last.credit > frames.WIDE_STREAM_WINDOW // 2)

    def test_serves_the_others_when_32_of_256_streams_stall_in_both_directions(self):
        server = self.server()
        stalled, busy = [], []
        for place in range(frames.MAX_STREAMS):
            stream = self.streams.connect(server.getsockname()[1])
            (stalled if place % 8 == 0 else busy).append((stream, self.accept(server)))
        self.assertEqual(len(stalled), 32)
        refused = self.streams.open("connect", port=server.getsockname()[1]).wait_reset()
        self.assertEqual(refused.code, "TOO_MANY_STREAMS")
        for stream, connection in stalled:
            stream.auto_credit = False
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection.send(bytes(1 << 20))
            stream.send_data(bytes(frames.STREAM_WINDOW))
        sent = LONG[: 100 << 10]
        for stream, connection in busy:
            self.in_thread(self.echo, connection)
        for stream, _ in busy:
            stream.send_data(sent)
        for stream, _ in busy:
            stream.send_eof()
        for stream, _ in busy:
            self.assertTrue(stream.wait_eof().data == sent)
        self.assertEqual(self.agent.run("echo fine").stdout, b"fine\n")
        for stream, _ in stalled:
            self.assertEqual((len(stream.data), stream.reset), (frames.STREAM_WINDOW, None))
        # There is room again.
        self.streams.connect(server.getsockname()[1])

    def test_takes_turns_when_more_streams_have_bytes_than_the_host_reads(self):
        server = self.server()
        pairs = []
        for _ in range(40):
            stream = self.streams.connect(server.getsockname()[1])
            connection = self.accept(server)
            pairs.append((stream, connection))
        for _, connection in pairs:
            self.in_thread(connection.sendall, LONG[: 1 << 20])
        self.agent.pump_until(lambda: any(len(stream.data) >= 1 << 20 for stream, _ in pairs))
        self.assertGreater(min(len(stream.data) for stream, _ in pairs), 256 << 10)
        for stream, _ in pairs:
            self.assertTrue(stream.wait_data(1 << 20) == LONG[: 1 << 20])

    def test_runs_commands_when_streams_are_busy(self):
        stream, connection = self.connected()
        ended = threading.Event()

        def flood():
            with contextlib.suppress(OSError):
                while not ended.is_set():
                    connection.sendall(bytes(65536))

        self.in_thread(flood)
        for _ in range(5):
            self.assertEqual(self.agent.run("echo fine").stdout, b"fine\n")
        self.assertGreater(len(stream.data), 0)
        ended.set()
        stream.send_reset()


class ListenTest(StreamTestCase):
    def test_carries_bytes_both_ways_when_a_program_calls_the_hosts_listener(self):
        listener = self.streams.listen(port=0)
        program = self.call_listener(listener)
        (stream,) = self.streams.wait_offered(1)
        self.assertEqual(stream.header, {"kind": "accepted", "listener": listener.id, "peer_port": program.getsockname()[1]})
        stream.accept()
        program.sendall(b"question")
        program.shutdown(socket.SHUT_WR)
        self.assertEqual(stream.wait_eof().data, b"question")
        stream.send_data(LONG[:300000])
        stream.send_eof()
        self.assertTrue(read_all(program) == LONG[:300000])

    def test_listens_on_the_address_and_port_that_the_host_names(self):
        port = self.unused_port()
        listener = self.streams.listen(address="127.0.0.5", port=port)
        self.assertEqual(listener.accepted, {"port": port})
        self.call_listener(listener, "127.0.0.5")
        self.streams.wait_offered(1)

    def test_reads_nothing_from_a_connection_before_the_host_accepts_it(self):
        program = self.call_listener(self.streams.listen())
        program.sendall(b"early")
        (stream,) = self.streams.wait_offered(1)
        self.streams.pass_barrier()  # the harness refuses DATA before ACCEPT
        self.assertEqual(stream.accept().wait_data(5), b"early")

    def test_resets_the_connection_when_the_host_refuses_it(self):
        listener = self.streams.listen()
        program = self.call_listener(listener)
        self.streams.wait_offered(1)[0].send_reset()
        with self.assertRaises(ConnectionResetError):
            program.recv(1)
        self.call_listener(listener)
        self.assertEqual(self.streams.wait_offered(2)[1].id, 3)

    def test_offers_64_connections_at_a_time_when_the_host_accepts_none(self):
        listener = self.streams.listen()
        programs = [self.call_listener(listener) for _ in range(70)]
        self.streams.wait_offered(64)
        self.streams.pass_barrier()
        self.assertEqual(len(self.streams.offered), 64)
        self.streams.offered[5].accept()
        self.streams.offered[6].send_reset()
        self.streams.wait_offered(66)
        self.streams.pass_barrier()
        self.assertEqual(len(self.streams.offered), 66)
        ports = [program.getsockname()[1] for program in programs]
        self.assertEqual([stream.header["peer_port"] for stream in self.streams.offered], ports[:66])

    def test_offers_no_connection_past_256_streams_until_one_ends(self):
        listener = self.streams.listen()
        programs = []
        for count in range(1, frames.MAX_STREAMS):
            programs.append(self.call_listener(listener))
            self.streams.wait_offered(count)[-1].accept()
        self.call_listener(listener)
        self.assertEqual(self.streams.open("connect", port=1).wait_reset().code, "TOO_MANY_STREAMS")
        self.assertEqual(len(self.streams.offered), frames.MAX_STREAMS - 1)
        self.streams.offered[9].send_reset()
        self.streams.wait_offered(frames.MAX_STREAMS)

    def test_closes_the_listener_and_keeps_its_connections_when_the_host_ends_the_stream(self):
        for end in ("send_eof", "send_reset"):
            listener = self.streams.listen()
            count = len(self.streams.offered)
            program = self.call_listener(listener)
            stream = self.streams.wait_offered(count + 1)[-1].accept()
            getattr(listener, end)()
            if end == "send_eof":
                listener.wait_eof()
            self.streams.pass_barrier()
            with self.assertRaises(ConnectionRefusedError):
                self.call_listener(listener)
            stream.send_data(b"on")
            self.assertEqual(read_exactly(program, 2), b"on")

    def test_says_why_when_it_cannot_listen(self):
        taken = self.server().getsockname()[1]
        self.assertEqual(self.streams.open("listen", port=taken).wait_reset().code, "ADDRESS_IN_USE")
        for address in ("0.0.0.0", "::1", "::", "", "localhost", "10.0.0.1"):
            self.assertEqual(self.streams.open("listen", address=address).wait_reset().code, "LISTEN_FAILED")

    def test_listens_again_on_the_same_port_when_its_connections_have_just_closed(self):
        listener = self.streams.listen()
        program = self.call_listener(listener)
        stream = self.streams.wait_offered(1)[0].accept()
        stream.send_eof()  # the agent's side closes first, and the kernel keeps the port for a while
        read_all(program)
        program.close()
        stream.wait_eof()
        listener.send_reset()
        self.streams.listen(port=listener.accepted["port"])


class BreachTest(StreamTestCase):
    def assert_breach(self, kind, stream_id, payload=b""):
        self.agent.send(kind, stream_id, payload)
        with self.assertRaises((EOFError, ConnectionError)):
            self.agent.pump_until(lambda: False)
        self.assertEqual(self.agent.process.wait(DEADLINE_SECONDS), 0)
        self.agent = self.open_agent()
        self.streams = self.agent.streams

    def test_ends_the_channel_when_a_frame_is_malformed(self):
        port = b'{"kind":"connect","port":%s}'
        reset = b'{"code":"%s","detail":"%s"}'
        for kind, stream_id, payload in (
            (frames.STREAM_OPEN, 1, port % b"80"),
            (frames.STREAM_OPEN, 0, port % b"80"),
            (frames.STREAM_OPEN, 2, b""),
            (frames.STREAM_OPEN, 2, b"\xff"),
            (frames.STREAM_OPEN, 2, b"[]"),
            (frames.STREAM_OPEN, 2, b"[" * 4000),
            (frames.STREAM_OPEN, 2, b'{"port":80}'),
            (frames.STREAM_OPEN, 2, port % b"65536"),
            (frames.STREAM_OPEN, 2, port % b"-1"),
            (frames.STREAM_OPEN, 2, port % b"true"),
            (frames.STREAM_OPEN, 2, b'{"kind":"listen","address":null}'),
            (frames.STREAM_OPEN, 2, b'{"kind":"%s"}' % (b"x" * 4096)),
            (frames.STREAM_ACCEPT, 1, b"null"),
            (frames.STREAM_DATA, 2, b""),
            (frames.STREAM_DATA, 2, bytes(65537)),
            (frames.STREAM_EOF, 2, b"x"),
            (frames.STREAM_RESET, 2, b"{}"),
            (frames.STREAM_RESET, 2, reset % (b"", b"x")),
            (frames.STREAM_RESET, 2, reset % (b"code", b"x")),
            (frames.STREAM_RESET, 2, reset % (b"CODE", b"x" * 301)),
            (frames.STREAM_CREDIT, 2, b"123"),
            (frames.STREAM_CREDIT, 2, b"12345"),
        ):
            with self.subTest(kind=kind, stream_id=stream_id, payload=payload[:40]):
                self.assert_breach(kind, stream_id, payload)

    def test_ends_the_channel_when_a_frame_may_not_come_now(self):
        for state, kind, payload in (
            (self.open_one, frames.STREAM_OPEN, b'{"kind":"listen"}'),
            (self.open_one, frames.STREAM_ACCEPT, b"{}"),
            (self.ended_one, frames.STREAM_DATA, b"x"),
            (self.ended_one, frames.STREAM_EOF, b""),
            (self.full_one, frames.STREAM_DATA, b"x"),
            (self.connecting_one, frames.STREAM_DATA, b"x"),
            (self.connecting_one, frames.STREAM_EOF, b""),
            (self.connecting_one, frames.STREAM_CREDIT, bytes(4)),
            (self.listening_one, frames.STREAM_DATA, b"x"),
            (self.listening_one, frames.STREAM_CREDIT, bytes(4)),
            (self.offered_one, frames.STREAM_DATA, b"x"),
            (self.offered_one, frames.STREAM_EOF, b""),
            (self.accepted_one, frames.STREAM_ACCEPT, b"{}"),
        ):
            with self.subTest(state=state.__name__, kind=kind):
                self.assert_breach(kind, state().id, payload)

    def open_one(self):
        return self.connected()[0]

    def ended_one(self):
        stream = self.open_one()
        stream.send_eof()
        return stream

    def full_one(self):
        stream = self.open_one()
        while True:
            self.streams.pass_barrier()
            if stream.credit == 0:
                return stream
            stream.send_data(bytes(stream.credit))

    def connecting_one(self):
        server = self.server(backlog=0)
        for _ in range(3):
            caller = socket.socket()
            self.addCleanup(caller.close)
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        return self.streams.open("connect", port=server.getsockname()[1])

    def listening_one(self):
        return self.streams.listen()

    def offered_one(self):
        self.call_listener(self.streams.listen())
        return self.streams.wait_offered(1)[0]

    def accepted_one(self):
        return self.offered_one().accept()


class RelayTest(StreamTestCase):
    def test_forks_no_relay_before_the_first_stream(self):
        self.assertEqual(self.agent.run("true").ok["exit_code"], 0)
        workers = set(self.children_of(self.agent.process.pid))
        self.agent.send(frames.STREAM_DATA, 2, b"x")
        self.agent.send(frames.STREAM_RESET, 2, b'{"code":"X","detail":""}')
        self.agent.send(frames.PING, 0)
        self.agent.pump_until(lambda: self.agent.pongs)
        self.assertEqual(set(self.children_of(self.agent.process.pid)), workers)
        self.streams.pass_barrier()
        self.streams.pass_barrier()
        self.assertEqual(len(self.children_of(self.agent.process.pid)), len(workers) + 1)

    def test_closes_all_connections_when_the_channel_ends(self):
        relay = self.fork_relay()
        stream, connection = self.connected()
        listener = self.streams.listen()
        # Workers that the router has forked after the relay stay with these.
        for _ in range(3):
            self.assertEqual(self.agent.run("sleep 100 >/dev/null 2>&1 &").ok["exit_code"], 0)
        self.agent.hang_up()
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(connection.recv(1), b"")
        self.eventually(lambda: not self.is_alive(relay), "the relay lives")
        with self.assertRaises(ConnectionRefusedError):
            self.call_listener(listener)

    def test_ends_the_relay_when_the_router_is_killed(self):
        relay = self.fork_relay()
        _, connection = self.connected()
        self.agent.process.kill()
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(connection.recv(1), b"")
        self.eventually(lambda: not self.is_alive(relay), "the relay lives")

    def test_says_so_for_each_open_stream_when_the_relay_is_killed_and_opens_the_next(self):
        relay = self.fork_relay()
        stream, connection = self.connected()
        listener = self.streams.listen()
        self.call_listener(listener)
        offered = self.streams.wait_offered(1)[0]
        ended = self.connected()[0]
        ended.send_reset()
        ended.wait_reset()
        halves, server_side = self.connected()
        halves.send_eof()
        server_side.close()
        halves.wait_eof()
        os.kill(relay, signal.SIGKILL)
        for lost in (stream, listener, offered):
            self.assertEqual(lost.wait_reset().code, "SANDBOX_LOST")
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(connection.recv(1), b"")
        stream.send(frames.STREAM_DATA, b"late")
        again, connection = self.connected()
        again.send_data(b"again")
        self.assertEqual(read_exactly(connection, 5), b"again")
        self.assertEqual((ended.code, halves.reset), ("STREAM_CLOSED", None))
        # Frames for the streams of the relay that was killed never meet one of the new relay.
        self.call_listener(self.streams.listen())
        self.assertEqual(self.streams.wait_offered(2)[1].id, 3)
        self.assertEqual(self.agent.run("echo fine").stdout, b"fine\n")

    def test_leaves_the_relay_alone_when_a_command_is_killed_at_its_timeout(self):
        stream, connection = self.connected()
        # The command's parent is killed too, so the router looks for strays among its children.
        self.assertEqual(self.agent.run("(setsid sleep 100 &) ; kill -9 $PPID; sleep 100").code, "SANDBOX_LOST")
        self.agent.run("sleep 100", timeout_ms=100)
        stream.send_data(b"alive")
        self.assertEqual(read_exactly(connection, 5), b"alive")
        self.assertIsNone(stream.reset)

    def test_is_not_ended_by_signals_that_programs_send_to_all(self):
        relay = self.fork_relay()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGWINCH):
            os.kill(relay, number)
        self.streams.pass_barrier()
        self.assertEqual(self.relay_pid(), relay)

    def test_names_memory_as_the_reason_when_the_relay_was_killed_for_it(self):
        counter = self.put("memory.events", "oom 7\noom_kill 4\n")
        self.agent = self.open_agent(counter)
        self.streams = self.agent.streams
        for count, named in ((4, 0), (5, 1)):
            relay = self.fork_relay()
            stream, _ = self.connected()
            self.put("memory.events", "oom 7\noom_kill %d\n" % count)  # what the kernel does, but for the kill
            os.kill(relay, signal.SIGKILL)
            lost = stream.wait_reset().reset
            self.assertEqual((lost["code"], lost["detail"].count("ran out of memory")), ("SANDBOX_LOST", named))

    def test_answers_a_reset_when_the_relay_is_killed_before_it_has(self):
        relay = self.fork_relay()
        stream, _ = self.connected()
        os.kill(relay, signal.SIGSTOP)
        stream.send_reset()
        self.agent.send(frames.PING, 0)
        self.agent.pump_until(lambda: self.agent.pongs)
        self.assertIsNone(stream.reset)
        os.kill(relay, signal.SIGKILL)
        self.assertEqual(stream.wait_reset().code, "SANDBOX_LOST")

    def test_kills_the_relay_when_it_is_stopped_and_too_much_waits_for_it(self):
        relay = self.fork_relay()
        stream, _ = self.connected()
        os.kill(relay, signal.SIGSTOP)
        for _ in range(320):  # 20 MiB; all windows together have 16 MiB
            self.agent.send(frames.STREAM_DATA, 1 << 20, bytes(65536))
        self.assertEqual(stream.wait_reset().code, "SANDBOX_LOST")
        self.connected()

    def test_refuses_streams_and_lets_connections_wait_when_the_relay_has_no_open_file_left(self):
        relay = self.fork_relay()
        listener = self.streams.listen()
        limits = resource.prlimit(relay, resource.RLIMIT_NOFILE)
        # No fewer than the two that it polls.
        resource.prlimit(relay, resource.RLIMIT_NOFILE, (2, limits[1]))
        no_file = "Too many open files."
        refused = self.streams.open("connect", port=listener.accepted["port"]).wait_reset()
        self.assertEqual(refused.reset, {"code": "CONNECTION_FAILED", "detail": no_file})
        refused = self.streams.open("listen").wait_reset()
        self.assertEqual(refused.reset, {"code": "LISTEN_FAILED", "detail": no_file})
        self.call_listener(listener)
        self.streams.pass_barrier()
        self.assertEqual(self.streams.offered, [])
        resource.prlimit(relay, resource.RLIMIT_NOFILE, limits)
        self.streams.wait_offered(1)
