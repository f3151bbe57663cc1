import json
import os
import random
import socket
import unittest

from harness import frames
from job_test_case import JobTestCase

from jobs.follower import Follower
from jobs.keeper_connection import KeeperConnection
from jobs.ring import Ring


class JobStreamTest(JobTestCase):
    def open_stream(self, job_id, stream="stdout", offset=None, limit=None, follow_ms=60000):
        return self.agent.open(op="job_stream", job_id=job_id, stream=stream, offset=offset, limit=limit, follow_ms=follow_ms)

    def stream(self, job_id, **settings):
        """(the offset of the first byte, the bytes, the `ok` of END)"""
        answer = self.agent.wait(self.open_stream(job_id, **settings))
        return (*self.split(answer), answer.ok)

    def split(self, answer):
        line, _, data = answer.stdout.partition(b"\n")
        self.assertEqual(answer.stderr, b"")
        return json.loads(line)["offset"], data

    def test_gives_every_byte_of_one_stream_when_they_are_no_text(self):
        data = random.Random(7).randbytes(3 << 20)
        with open(self.path("data"), "wb") as file:
            file.write(data)
        job_id = self.start("cat data; cat data data >&2; cat data", max_output=16 << 20)
        self.assertEqual(self.stream(job_id), (0, data + data, {"next_offset": 2 * len(data), "eof": True}))
        self.assertEqual(self.stream(job_id, stream="stderr"), (0, data + data, {"next_offset": 2 * len(data), "eof": True}))

    def test_gives_bytes_as_they_come_until_the_job_ends(self):
        job_id = self.start("printf one; until [ -e go ]; do sleep 0.02; done; printf two; until [ -e end ]; do sleep 0.02; done")
        request = self.open_stream(job_id)
        answer = self.agent.answers[request]
        self.agent.pump_until(lambda: answer.stdout.endswith(b"one"))
        self.put("go", "")
        self.agent.pump_until(lambda: answer.stdout.endswith(b"two"))
        self.assertIsNone(answer.end)
        self.put("end", "")
        self.assertEqual(self.agent.wait(request).ok, {"next_offset": 6, "eof": True})

    def test_begins_at_the_offset_and_ends_at_the_limit(self):
        job_id = self.start("printf 0123456789")
        self.ended(job_id)
        for offset, limit, data, eof in (
            (0, None, b"0123456789", True),
            (3, 4, b"3456", False),
            (3, 7, b"3456789", True),
            (None, 0, b"", False),
            (10, None, b"", True),
            (10, 0, b"", True),
        ):
            with self.subTest(offset=offset, limit=limit):
                first = offset or 0
                ok = {"next_offset": first + len(data), "eof": eof}
                self.assertEqual(self.stream(job_id, offset=offset, limit=limit), (first, data, ok))
        answer = self.agent.wait(self.open_stream(job_id, offset=11))
        self.assertEqual((answer.code, answer.stdout), ("RANGE_NOT_SATISFIABLE", b""))

    def test_ends_with_what_is_there_when_its_time_is_over(self):
        job_id = self.start("printf here; sleep 20")
        self.output_of(job_id)
        for follow_ms in (0, 300):
            self.assertEqual(self.stream(job_id, follow_ms=follow_ms), (0, b"here", {"next_offset": 4, "eof": False}))

    def output_of(self, job_id):
        """Waits for the first output."""
        self.agent.call("job_output", job_id=job_id, offsets={"stdout": 0}, limit=1, wait_ms=60000)

    def test_refuses_an_offset_whose_bytes_are_dropped_and_begins_at_the_oldest_without_one(self):
        job_id = self.start("seq 1 50000", max_output=100000)
        self.ended(job_id)
        whole = b"".join(b"%d\n" % number for number in range(1, 50001))
        oldest = len(whole) - 100000
        ok = {"next_offset": len(whole), "eof": True}
        self.assertEqual(self.stream(job_id), (oldest, whole[oldest:], ok))
        self.assertEqual(self.stream(job_id, offset=oldest), (oldest, whole[oldest:], ok))
        answer = self.agent.wait(self.open_stream(job_id, offset=oldest - 1))
        self.assertEqual((answer.code, answer.stdout), ("RANGE_NOT_SATISFIABLE", b""))
        self.assertIn("before offset %d are" % oldest, answer.end["error"]["detail"])

    def test_ends_with_an_error_and_no_gap_when_bytes_are_dropped_before_the_reader_takes_them(self):
        self.agent.auto_credit = False
        job_id = self.start("until [ -e go ]; do sleep 0.02; done; seq 1 400000; sleep 20", max_output=100000)
        request = self.open_stream(job_id)
        answer = self.agent.answers[request]
        self.agent.pump_until(lambda: answer.stdout)
        self.put("go", "")
        self.agent.pump_until(lambda: len(answer.stdout) == frames.WINDOW)
        self.eventually(lambda: self.stat(job_id)["stdout_bytes"] == 2688895)
        self.agent.auto_credit = True
        self.agent.credit(request, frames.WINDOW)
        self.assertEqual(self.agent.wait(request).code, "RANGE_NOT_SATISFIABLE")
        whole = b"".join(b"%d\n" % number for number in range(1, 400001))
        offset, data = self.split(answer)
        self.assertEqual(data, whole[offset : offset + len(data)])
        self.assertLess(offset + len(data), len(whole))
        self.assertEqual(self.stat(job_id)["state"], "running")

    def test_ends_when_it_is_cancelled_while_the_job_is_silent_or_its_reader_takes_nothing(self):
        self.agent.auto_credit = False
        silent, loud = self.start("sleep 20"), self.start("yes", max_output=1 << 20)
        for job_id, size in ((silent, 1), (loud, frames.WINDOW)):
            request = self.open_stream(job_id)
            answer = self.agent.answers[request]
            self.agent.pump_until(lambda: len(answer.stdout) >= size)
            self.agent.cancel(request)
            self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")
            self.assertEqual(self.stat(job_id)["state"], "running")

    def test_follows_no_more_when_many_readers_follow_already(self):
        job_id = self.start("printf x; until [ -e go ]; do sleep 0.02; done; printf y")
        self.output_of(job_id)
        requests = [self.open_stream(job_id) for _ in range(40)]
        self.eventually(lambda: self.agent.run("true").ok and sum(1 for each in requests if self.agent.answers[each].end) == 8)
        self.put("go", "")
        answers = [self.agent.wait(each) for each in requests]
        self.assertEqual(sorted(self.split(each)[1] for each in answers), [b"x"] * 8 + [b"xy"] * 32)

    def test_keeps_the_channel_sound_when_a_fake_keeper_answers(self):
        line = frames.frame(frames.OUT, 0, b'{"offset":0}\n')
        for sent in (
            b"",
            line,
            line + frames.frame(frames.DATA_CREDIT, 0, b"xxxx"),
            line + frames.frame(frames.END, 0, b"nonsense"),
            line + frames.HEADER.pack(frames.MAX_HOST_PAYLOAD + 1, frames.OUT, 0),
        ):
            posing = self.pretend(sent)
            self.assertEqual(self.agent.wait(self.open_stream(posing)).code, "SANDBOX_LOST")
        large = self.pretend(line + frames.frame(frames.OUT, 0, b"x" * (1 << 20)) + frames.ok_frame(0, {"next_offset": 1 << 20, "eof": True}))
        self.assertEqual(self.stream(large), (0, b"x" * (1 << 20), {"next_offset": 1 << 20, "eof": True}))
        self.assertEqual(self.agent.run("echo still here").stdout, b"still here\n")


class FollowerTest(unittest.TestCase):
    def test_has_more_to_send_when_its_queue_is_empty_and_the_ring_has_bytes(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        connection = KeeperConnection(ours.detach())
        self.addCleanup(connection.close)
        ring = Ring()
        question = {"offset": None, "limit": None, "follow_ms": 60000}
        connection.follower = follower = Follower(ring, question)
        self.assertIsNone(follower.feed(connection.unsent, False))
        self.assertFalse(connection.has_more)
        ring.add(b"x" * 100)
        self.assertTrue(connection.has_more)
        self.assertIsNone(follower.feed(connection.unsent, False))
        connection.write()
        self.assertFalse(connection.has_more)
        self.assertEqual(os.read(theirs.fileno(), 1000)[frames.HEADER.size :], b"x" * 100)
