import itertools
import unittest

import harness  # noqa: F401: makes the agent's modules importable

from jobs.ring import Ring

WHOLE = bytes(range(12))


class RingTest(unittest.TestCase):
    def test_gives_the_bytes_from_an_offset_after_any_two_drops(self):
        for first, second in itertools.product(range(6), range(7)):
            ring = Ring()
            ring.add(WHOLE[:6])
            ring.drop(first)
            ring.add(WHOLE[6:])
            ring.drop(second)
            start = first + second
            self.assertEqual((ring.start, ring.stop, len(ring)), (start, len(WHOLE), len(WHOLE) - start))
            for offset, limit in itertools.product(range(len(WHOLE) + 1), range(len(WHOLE) + 2)):
                begin = max(offset, start)
                with self.subTest(start=start, offset=offset, limit=limit):
                    self.assertEqual(ring.read(offset, limit), (begin, WHOLE[begin : begin + limit]))

    def test_gives_nothing_at_the_end_when_all_was_dropped(self):
        ring = Ring()
        ring.add(WHOLE)
        ring.drop(len(WHOLE))
        self.assertEqual(ring.read(0, 5), (len(WHOLE), b""))
        self.assertEqual((ring.stop, len(ring)), (len(WHOLE), 0))
