"""Streams of the kind `resolver`: programs in the sandbox ask the host for names."""

import select

import _socket  # see sockets.py

from names import dns_messages as dns
from names import host_answers, host_names
from names.questions import Questions
from processes import own_process
from streams import listening, sockets
from streams.outgoing import OutgoingNames
from streams.query_connections import QueryListener
from streams.relay_stream import RelayStream
from wire import frames, messages
from wire.stream_frames import credit_frame

# What the C libraries, Go and c-ares ask if there is no /etc/resolv.conf.
_ADDRESS = "127.0.0.1"
_PORT = 53
_DATAGRAMS_A_TURN = 16  # so that a flood of queries does not hold up the other streams
_GRANT_STEP = 16 << 10  # bytes, as in byte_stream.py

_LOCALHOST = {
    dns.A: _socket.inet_pton(_socket.AF_INET, _ADDRESS),
    dns.AAAA: _socket.inet_pton(_socket.AF_INET6, "::1"),
}
_ADDRESSES = (dns.A, dns.AAAA)
_CODES = {host_answers.REFUSED: dns.NO_SUCH_NAME, host_answers.FAILED: dns.SERVER_FAILURE}


class Resolver(RelayStream):
    """Its socket takes datagrams. Sockets that belong to it take connections."""

    def __init__(self, relay, stream_id, datagrams, listening_socket):
        super().__init__(relay, stream_id, datagrams)
        self._listener = QueryListener(relay, listening_socket, self._serve_query)
        relay.attach(self._listener)
        self._questions = Questions()
        self._names = OutgoingNames(relay)
        self._credit = frames.STREAM_WINDOW  # bytes that the host will still take
        self._line = b""  # the beginning of a line of the host
        self._ungranted = 0  # bytes that are read, and the host does not know of

    def ended(self):
        self.relay.end(self._listener)
        self._names.close_all()

    # ---- queries

    def events(self):
        return select.POLLIN

    def serve(self, events):
        for _ in range(_DATAGRAMS_A_TURN):
            try:
                # The question comes first, so what does not fit matters to nobody.
                message, program = self.socket.recvfrom(dns.MAX_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self.relay.reset(self, "LISTEN_FAILED", sockets.reason_of(error.errno))
                return
            self._serve_query(message, program)

    def _serve_query(self, message, program):
        """Returns whether the program gets a reply.

        `program` is a connection, or where a datagram came from.
        """
        query = dns.parse_query(message)
        if query is None:
            return False
        if query.error:
            self._reply(query, program, query.error)
        elif query.type == dns.PTR:
            self._serve_address(query, program)
        else:
            self._serve_name(query, program)
        return True

    def _serve_address(self, query, program):
        name = self._names.name_at(host_names.address_in(query.labels))
        if name is None:
            self._reply(query, program, dns.NO_SUCH_NAME)
        else:
            self._reply(query, program, dns.NO_ERROR, dns.name_data(name))

    def _serve_name(self, query, program):
        name = host_names.name_of(query.labels)
        if name is None or query.type not in _ADDRESSES and host_names.is_service(query.labels):
            self._reply(query, program, dns.NO_SUCH_NAME)
        elif host_names.is_localhost(name):
            self._reply(query, program, dns.NO_ERROR, _LOCALHOST.get(query.type))
        elif self._questions.add(name, (query, program)):
            self._ask()
        else:
            self._reply(query, program, dns.SERVER_FAILURE)

    def _reply(self, query, program, code, data=None):
        message = dns.make_reply(query, code, data)
        if not isinstance(program, tuple):
            program.reply(message)
            return
        try:
            self.socket.sendto(message, program)
        except OSError:
            pass  # nobody listens there, or the kernel has no room; the program asks again

    # ---- the host

    def _ask(self):
        """Sends the questions that have not been sent, as far as there is credit."""
        name = self._questions.first_unsent()
        while name is not None:
            line = messages.dumps({"name": name}).encode() + b"\n"
            if len(line) > self._credit:
                break
            self._credit -= len(line)
            self._questions.note_sent(name)
            self.relay.send_output(self, line)
            name = self._questions.first_unsent()
        self._note_deadline()

    def _note_deadline(self):
        self.deadline = self._questions.deadline()
        self.relay.watch(self)

    def expire(self):
        for query, program in self._questions.take_expired():
            self._reply(query, program, dns.SERVER_FAILURE)
        self._note_deadline()

    def take_credit(self, size):
        self._credit += size
        self._ask()

    def take_eof(self):
        self.relay.send(frames.frame(frames.STREAM_EOF, self.id))
        self.relay.end(self)

    def take_data(self, payload):
        if self._ungranted + len(payload) > frames.STREAM_WINDOW:
            raise frames.BadFrame("DATA past the window")
        *lines, self._line = (self._line + payload).split(b"\n")
        for line in (*lines, self._line):
            if len(line) >= host_answers.MAX_LINE:
                raise frames.BadFrame("a long line for a resolver")
        for line in lines:
            self._take_line(line)
        self._note_deadline()
        self._ungranted += len(payload)
        if self._ungranted >= _GRANT_STEP:
            self.relay.send(credit_frame(self.id, self._ungranted))
            self._ungranted = 0

    def _take_line(self, line):
        try:
            name, outcome, ports = host_answers.parse_answer(line)
        except ValueError:
            raise frames.BadFrame("a malformed line for a resolver") from None
        queries = self._questions.take(name)
        if outcome == host_answers.REFUSED:
            self._names.close(name)
        address = None
        if outcome == host_answers.ALLOWED and (queries or name in self._names):
            address = self._names.open(name, ports)
        self._answer(queries, address, _CODES.get(outcome, dns.SERVER_FAILURE))

    def _answer(self, queries, address, code):
        """Replies with the address, or with the code if there is none."""
        data = None if address is None else _socket.inet_pton(_socket.AF_INET, address)
        for query, program in queries:
            if data is None:
                self._reply(query, program, code)
            else:
                self._reply(query, program, dns.NO_ERROR, data if query.type == dns.A else None)


def resolve(relay, stream_id, header):
    """Serves an OPEN."""
    datagrams = None
    try:
        datagrams = sockets.datagram_socket(_ADDRESS, _PORT)
        listening_socket = sockets.listening_socket(_ADDRESS, _PORT)
    except OSError as error:
        if datagrams is not None:
            datagrams.close()
        listening.refuse(relay, stream_id, error)
        return
    own_process.raise_open_files()  # each name takes some
    relay.add(Resolver(relay, stream_id, datagrams, listening_socket))
    relay.send(frames.json_frame(frames.STREAM_ACCEPT, stream_id, {}))
    own_process.give_back_memory()  # what the compiler has used
