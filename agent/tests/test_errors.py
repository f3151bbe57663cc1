"""What a caller is told of a full workspace."""

import errno
import os
import unittest
from types import SimpleNamespace
from unittest import mock

import harness  # noqa: F401  so that the agent's modules are found

from wire import errors


def _left(total, left):
    return mock.patch.object(os, "statvfs", return_value=SimpleNamespace(f_files=total, f_favail=left))


class FullTest(unittest.TestCase):
    def detail(self, error):
        code, detail = errors.end_code(error)
        self.assertEqual(code, "STORAGE_FULL")
        return detail

    def test_names_the_file_entries_when_none_is_left(self):
        with _left(100, 0):
            self.assertIn("no file entries left", self.detail(OSError(errno.ENOSPC, "full")))

    def test_names_the_space_when_entries_are_left_or_not_counted(self):
        for total, left in ((100, 1), (0, 0)):
            with _left(total, left):
                self.assertEqual(self.detail(OSError(errno.ENOSPC, "full")), "There is no space left.")

    def test_keeps_what_was_full_before_the_call_removed_its_files(self):
        error = OSError(errno.ENOSPC, "full")
        with _left(100, 0):
            errors.note_what_is_full(error)
        with _left(100, 50):
            self.assertIn("no file entries left", self.detail(error))

    def test_names_the_space_when_the_file_system_cannot_be_asked(self):
        with mock.patch.object(os, "statvfs", side_effect=OSError(errno.EIO, "no")):
            self.assertEqual(self.detail(OSError(errno.ENOSPC, "full")), "There is no space left.")


if __name__ == "__main__":
    unittest.main()
