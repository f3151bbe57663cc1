"""What a path leads to when what it leads through is moved or replaced during the call: in this process, with the moment chosen."""

import errno
import os
import shutil
import tempfile
import unittest
from unittest import mock

import harness  # noqa: F401: makes the agent's modules importable

from files import paths


class SwappedTest(unittest.TestCase):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base, True)
        self.root = os.path.join(self.base, "workspace")
        self.outside = os.path.join(self.base, "outside")
        os.makedirs(self.path("a", "b"))
        os.mkdir(self.outside)
        self.replace(paths, "ROOT", os.fsencode(self.root))

    def path(self, *names):
        return os.path.join(self.root, *names)

    def replace(self, module, name, value):
        patch = mock.patch.object(module, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def before_a_link_is_read(self, act):
        """Has `act` done once, when the walk stands in the directory of a link and has not read it yet."""
        read = os.readlink
        ahead = [act]

        def readlink(*arguments, **settings):
            if ahead:
                ahead.pop()()
            return read(*arguments, **settings)

        self.replace(os, "readlink", readlink)

    def swap(self, directory):
        """A link that leads outside takes the place of the directory, which goes on under another name."""
        os.rename(directory, directory + "-moved")
        os.symlink(self.outside, directory)

    def assert_in(self, directory, place):
        with place:
            self.assertEqual(paths.identity(place.directory), (os.stat(directory).st_dev, os.stat(directory).st_ino))

    def assert_fails(self, path):
        descriptors = os.listdir("/proc/self/fd")
        with self.assertRaises(OSError) as caught:
            paths.resolve(path)
        self.assertIn(caught.exception.errno, (errno.ENOTDIR, errno.ENOENT))
        self.assertEqual(os.listdir("/proc/self/fd"), descriptors)

    def test_goes_up_by_name_when_the_directory_was_moved_up(self):
        os.symlink("../../target", self.path("a", "b", "link"))
        # Its own `..` is then the workspace, and the next one what the workspace lies in.
        self.before_a_link_is_read(lambda: os.rename(self.path("a", "b"), self.path("b")))
        self.assert_in(self.root, paths.resolve("a/b/link"))

    def test_goes_up_by_name_when_the_directory_was_moved_out(self):
        os.symlink("../target", self.path("a", "b", "link"))
        self.before_a_link_is_read(lambda: os.rename(self.path("a", "b"), os.path.join(self.outside, "b")))
        self.assert_in(self.path("a"), paths.resolve("a/b/link"))

    def test_fails_when_a_link_took_the_place_of_a_directory_on_the_way_up(self):
        os.mkdir(os.path.join(self.outside, "e"))
        for link, swapped in [("../x", ["d"]), ("../../x", ["d"]), ("../x", ["d", "e"])]:
            with self.subTest(link=link, swapped=swapped):
                os.makedirs(self.path("d", "e", "f"))
                os.symlink(link, self.path("d", "e", "f", "link"))
                self.before_a_link_is_read(lambda: self.swap(self.path(*swapped)))
                self.assert_fails("d/e/f/link")
                os.unlink(self.path(*swapped))
                shutil.rmtree(self.path(*swapped) + "-moved")
                shutil.rmtree(self.path("d"), ignore_errors=True)

    def test_follows_no_link_when_it_took_the_place_of_what_was_found(self):
        for name in ("file", "directory"):
            os.mkdir(self.path(name))
            with self.subTest(name), paths.resolve(name) as place:
                self.swap(self.path(name))
                with self.assertRaises(OSError):
                    os.close(place.open(os.O_RDONLY))
                with self.assertRaises(NotADirectoryError):
                    os.close(place.open_directory())
                self.assertEqual(place.stat().st_ino, os.lstat(self.path(name)).st_ino)
