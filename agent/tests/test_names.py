import json
import random
import socket
import unittest
import unittest.mock
from unittest import mock

import dns_client
import harness  # noqa: F401  it makes the agent's modules importable

from names import dns_messages, host_answers, host_names
from names.addresses import choose_address
from names.questions import Questions


class AddressTest(unittest.TestCase):
    def test_spreads_names_over_addresses_that_a_socket_can_have(self):
        addresses = {choose_address("n%d.example" % number, ()) for number in range(20000)}
        self.assertGreater(len(addresses), 19900)
        for address in list(addresses)[:500]:
            with socket.socket() as program:
                program.bind((address, 0))

    def test_goes_on_from_the_last_address_to_the_first_and_never_gives_the_broadcast_address(self):
        near_end = next(name for name in ("n%d" % number for number in range(10**6)) if choose_address(name, ()).startswith("127.255.255."))
        taken = []
        while taken[-1:] != ["127.128.0.0"]:
            self.assertLess(len(taken), 256)
            taken.append(choose_address(near_end, taken))
        self.assertNotIn("127.255.255.255", taken)
        self.assertIn("127.255.255.254", taken)


class QueryTest(unittest.TestCase):
    def test_reads_any_bytes_and_replies_within_512_bytes(self):
        numbers = random.Random(5)
        good = bytes(dns_client.make_query("a.example", more=dns_client.opt_record()))
        for _ in range(50000):
            message = bytearray(good)
            for _ in range(numbers.randrange(8)):
                message[numbers.randrange(len(message))] = numbers.choice((0, 1, 12, 63, 64, 192, 255, numbers.randrange(256)))
            query = dns_messages.parse_query(bytes(message[: numbers.randrange(len(message) + 1)]))
            if query is not None:
                host_names.name_of(query.labels)
                host_names.address_in(query.labels)
                reply = dns_client.Reply(dns_messages.make_reply(query, query.error, b"\1\2\3\4" if query.question else None))
                self.assertEqual(reply.question, query.question)

    def test_replies_within_512_bytes_when_question_and_record_are_the_longest(self):
        query = dns_messages.parse_query(dns_client.make_query([b"a" * 63] * 3 + [b"b" * 61], dns_client.PTR))
        name = host_names.name_of(query.labels)
        self.assertEqual(len(name), 253)
        self.assertEqual(dns_client.Reply(dns_messages.make_reply(query, 0, b"1234")).question, query.question)
        pointer = dns_messages.parse_query(dns_client.make_query("255.255.255.127.in-addr.arpa", dns_client.PTR))
        self.assertEqual(dns_client.Reply(dns_messages.make_reply(pointer, 0, dns_messages.name_data(name))).name, name)


class HostAnswerTest(unittest.TestCase):
    def test_reads_the_outcome_and_the_ports_when_a_line_is_right(self):
        for line, answer in (
            (b'{"name":"a","ports":[80,443]}', ("a", host_answers.ALLOWED, [80, 443])),
            (b'{"name":"a","ports":[],"more":1}', ("a", host_answers.ALLOWED, [])),
            (b'{"ports":[1,65535],"name":""}', ("", host_answers.ALLOWED, [1, 65535])),
            (b'{"name":"a","ports":%s}' % json.dumps(list(range(1, 17))).encode(), ("a", host_answers.ALLOWED, list(range(1, 17)))),
            (b'{"name":"a","refused":true}', ("a", host_answers.REFUSED, ())),
            (b'{"name":"a","failed":true}', ("a", host_answers.FAILED, ())),
        ):
            self.assertEqual(host_answers.parse_answer(line), answer)

    def test_refuses_a_line_when_it_is_malformed(self):
        for line in (
            b"",
            b" ",
            b"{}",
            b"[]",
            b'"a"',
            b"null",
            b"\xff",
            b"[" * 511,
            b'{"name":"a"}',
            b'{"name":"a","ports":[]',
            b'{"name":"a","ports":[]}}',
            b'{"name":1,"ports":[]}',
            b'{"name":null,"refused":true}',
            b'{"ports":[]}',
            b'{"name":"a","ports":80}',
            b'{"name":"a","ports":"80"}',
            b'{"name":"a","ports":[0]}',
            b'{"name":"a","ports":[65536]}',
            b'{"name":"a","ports":[-1]}',
            b'{"name":"a","ports":[true]}',
            b'{"name":"a","ports":["80"]}',
            b'{"name":"a","ports":[80.0]}',
            b'{"name":"a","ports":[[80]]}',
            b'{"name":"a","ports":%s}' % json.dumps(list(range(1, 18))).encode(),
            b'{"name":"a","refused":1}',
            b'{"name":"a","refused":false}',
            b'{"name":"a","failed":null}',
        ):
            with self.subTest(line=line), self.assertRaises(ValueError):
                host_answers.parse_answer(line)


class QuestionsTest(unittest.TestCase):
    def test_has_room_for_512_queries_of_all_names(self):
        questions = Questions()
        for number in range(512):
            self.assertTrue(questions.add("ab"[number % 2], number))
        self.assertFalse(questions.add("a", 512))
        self.assertFalse(questions.add("c", 512))
        self.assertEqual(len(questions.take("a")), 256)
        self.assertTrue(questions.add("c", 512))

    def test_has_room_again_once_queries_have_waited_too_long(self):
        questions = Questions()
        for number in range(512):
            questions.add("a", number)
        questions.note_sent("a")
        with unittest.mock.patch("names.questions.time.monotonic", lambda: float("inf")):
            self.assertEqual(len(questions.take_expired()), 512)
        self.assertTrue(questions.add("a", 512))

    def test_names_the_next_to_send_in_the_order_they_came(self):
        questions = Questions()
        for name in "abc":
            self.assertTrue(questions.add(name, name))
        sent = []
        while questions.first_unsent():
            sent.append(questions.first_unsent())
            questions.note_sent(sent[-1])
            questions.add("a", "again")
        self.assertEqual(sent, ["a", "b", "c"])
        self.assertEqual(questions.take("a"), ["a", "again", "again", "again"])
        self.assertEqual(questions.take("a"), ())
        questions.add("a", "anew")
        self.assertEqual(questions.first_unsent(), "a")

    def test_gives_a_late_answer_to_the_queries_that_came_last(self):
        with mock.patch("names.questions._SECONDS", 0):
            questions = Questions()
            for name in ("sent", "unsent"):
                questions.add(name, 1)
            questions.note_sent("sent")
            self.assertEqual((questions.take_expired(), questions.deadline()), ([1, 1], None))
            self.assertIsNone(questions.first_unsent())
            questions.add("sent", 2)
            self.assertIsNone(questions.first_unsent())
            self.assertIsNotNone(questions.deadline())
        self.assertEqual(questions.take("sent"), [2])
        self.assertEqual(questions.take("unsent"), ())

    def test_expires_first_what_waits_longest_when_a_question_has_waited_before(self):
        with mock.patch("names.questions._SECONDS", 0):
            questions = Questions()
            questions.add("again", 1)
            questions.note_sent("again")
            questions.take_expired()
        questions.add("first", 2)
        first = questions.deadline()
        questions.add("again", 3)
        self.assertEqual(questions.deadline(), first)
        questions.take("first")
        self.assertGreaterEqual(questions.deadline(), first)
