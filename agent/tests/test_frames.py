import fcntl
import os
import random
import unittest

from harness import frames

from wire.outbox import Outbox

SIZES = (0, 1, 9, 4000, 32767, 32768, 65536, 70000, 300000, frames.MAX_HOST_PAYLOAD)


def pipe():
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


class FramesTest(unittest.TestCase):
    def test_reads_all_frames_when_they_are_split_anywhere(self):
        source = random.Random(1)
        for _ in range(100):
            sent = [
                (source.randrange(1, 6), source.randrange(1, 1 << 32), os.urandom(source.choice(SIZES)))
                for _ in range(source.randrange(1, 12))
            ]
            read_end, write_end = pipe()
            outbox, reader = Outbox(write_end), frames.Reader(read_end)
            received = []
            for kind, request_id, payload in sent:
                outbox.add(frames.header(kind, request_id, payload), payload)
                outbox.flush()
                received += self.read(reader)
            while outbox:
                outbox.flush()
                received += self.read(reader)
            received += self.read(reader)
            self.assertEqual(received, sent)
            os.close(read_end)
            os.close(write_end)

    def read(self, reader):
        received = []
        try:
            while True:
                received += [(kind, request_id, bytes(payload)) for kind, request_id, payload in reader.read()]
        except BlockingIOError:
            return received

    def test_takes_the_next_frames_too_when_a_read_was_full_and_meets_the_end_only_then(self):
        read_end, write_end = pipe()
        fcntl.fcntl(write_end, 1031, 1 << 20)  # F_SETPIPE_SZ
        reader = frames.Reader(read_end)
        full = (frames.DATA, 1, bytes(65536))
        for kind, request_id, payload in (full, full, (frames.EOF, 1, b"")):
            os.write(write_end, frames.frame(kind, request_id, payload))
        os.close(write_end)
        self.assertEqual([bytes(payload) for _, _, payload in reader.read()], [full[2], full[2]])
        self.assertEqual(reader.read(), [(frames.EOF, 1, b"")])
        with self.assertRaises(EOFError):
            reader.read()
        os.close(read_end)

    def test_refuses_a_frame_before_its_payload_comes_when_its_length_is_past_the_limit(self):
        with self.assertRaises(frames.BadFrame):
            frames.split(frames.HEADER.pack(frames.MAX_HOST_PAYLOAD + 1, frames.DATA, 1))

    def test_copies_a_small_payload_so_that_it_does_not_keep_the_whole_buffer(self):
        (small, large), _ = frames.split(frames.frame(frames.DATA, 1, b"x") + frames.frame(frames.DATA, 2, bytes(65536)))
        self.assertIsInstance(small[2], bytes)
        self.assertEqual(bytes(large[2]), bytes(65536))
