import itertools
import unittest

import harness  # noqa: F401: makes the agent's modules importable

from jobs import ring as rings
from jobs.ring import Ring

WHOLE = bytes(range(12))


def read(ring, offset, limit):
    first, views = ring.read(offset, limit)
    return first, b"".join(views)


class RingTest(unittest.TestCase):
    def setUp(self):
        """Blocks of this size make every case cross some."""
        self.addCleanup(setattr, rings, "_BLOCK", rings._BLOCK)
        rings._BLOCK = 4

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
                    self.assertEqual(read(ring, offset, limit), (begin, WHOLE[begin : begin + limit]))

    def test_gives_nothing_at_the_end_when_all_was_dropped(self):
        ring = Ring()
        ring.add(WHOLE)
        ring.drop(len(WHOLE))
        self.assertEqual(read(ring, 0, 5), (len(WHOLE), b""))
        self.assertEqual((ring.stop, len(ring)), (len(WHOLE), 0))

    def test_holds_no_block_that_was_dropped_whole(self):
        ring = Ring()
        for _ in range(100):
            ring.add(WHOLE)
            ring.drop(len(ring) - 5)
        self.assertLessEqual(len(ring._blocks), 3)

    def test_leaves_the_bytes_of_a_view_as_they_are_when_more_is_added_and_dropped(self):
        ring = Ring()
        ring.add(WHOLE[:6])
        views = ring.read(0, 6)[1]
        ring.add(WHOLE)
        ring.drop(len(ring))
        self.assertEqual(b"".join(views), WHOLE[:6])
