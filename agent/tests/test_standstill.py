import select
import socket
import threading
import unittest

from harness import DEADLINE_SECONDS, frames

from streams import byte_stream
from streams.relay import Relay


class StandstillTest(unittest.TestCase):
    """A relay in a thread, so that the test can shorten the wait."""

    def setUp(self):
        self.addCleanup(setattr, byte_stream, "_MAX_STANDSTILL_SECONDS", byte_stream._MAX_STANDSTILL_SECONDS)
        byte_stream._MAX_STANDSTILL_SECONDS = 0.3
        self.router, end = socket.socketpair()
        self.addCleanup(end.close)
        relay = threading.Thread(target=self.run_relay, args=(end.fileno(),))
        relay.start()
        self.addCleanup(relay.join, DEADLINE_SECONDS)
        self.addCleanup(self.router.close)
        self.reader = frames.Reader(self.router.fileno())
        self.kinds = set()  # of frames that have come
        self.credit = frames.STREAM_WINDOW

    def run_relay(self, fd):
        with self.assertRaises((EOFError, ConnectionError)):
            Relay(fd, 0).run()

    def send(self, kind, payload=b""):
        self.router.sendall(frames.frame(kind, 2, payload))

    def receive(self, seconds=DEADLINE_SECONDS):
        """Takes what comes next. Returns whether anything came."""
        if not select.select([self.router], [], [], seconds)[0]:
            return False
        for kind, _, payload in self.reader.read():
            self.credit += int.from_bytes(payload, "big") if kind == frames.STREAM_CREDIT else 0
            self.kinds.add(kind)
        return True

    def wait_for(self, kind):
        while kind not in self.kinds:
            self.assertTrue(self.receive(), "the relay did not answer in time")

    def test_closes_a_connection_that_takes_nothing_when_both_sides_have_ended_the_stream(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.send(frames.STREAM_OPEN, b'{"kind":"connect","port":%d}' % server.getsockname()[1])
            connection = server.accept()[0]
        self.addCleanup(connection.close)
        self.wait_for(frames.STREAM_ACCEPT)
        while self.credit > 0 or self.receive(1):  # until the kernel takes no more for the server
            if self.credit > 0:
                self.send(frames.STREAM_DATA, bytes(self.credit))
                self.credit = 0
        connection.shutdown(socket.SHUT_WR)
        self.wait_for(frames.STREAM_EOF)
        self.send(frames.STREAM_EOF)
        poll = select.poll()
        poll.register(connection, 0)
        self.assertEqual([bool(events & select.POLLERR) for _, events in poll.poll(DEADLINE_SECONDS * 1000)], [True])


if __name__ == "__main__":
    unittest.main()
