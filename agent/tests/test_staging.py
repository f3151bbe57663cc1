import errno
import fcntl
import os
import shutil
import tempfile
import unittest
from unittest import mock

import harness  # noqa: F401: makes the agent's modules importable
import tars
from test_archive import LIMITS, ArchiveTestCase

from archives import staging
from files import paths, removal


class Channel:
    after_end = None


class StagingTest(unittest.TestCase):
    def setUp(self):
        self.root = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root, True)
        self.replace(paths, "ROOT", os.fsencode(self.root))

    def replace(self, module, name, value):
        patch = mock.patch.object(module, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def before_first(self, module, name, act):
        """Has `act` done once, right before the first call of that function."""
        function = getattr(module, name)
        ahead = [act]

        def call(*arguments, **settings):
            if ahead:
                ahead.pop()()
            return function(*arguments, **settings)

        self.replace(module, name, call)

    def path(self, directory):
        return os.path.join(self.root, os.fsdecode(directory.name))

    def assert_usable(self, directory):
        self.assertEqual(os.stat(self.path(directory)).st_ino, os.fstat(directory.handle).st_ino)

    def assert_all_removed(self):
        self.assertEqual(os.listdir(self.root), [])

    def descriptors(self):
        return sorted(os.listdir("/proc/self/fd"))

    def test_gives_a_usable_directory_when_another_call_comes_before_it_is_locked(self):
        for module, name in ((paths, "open_directory"), (fcntl, "flock")):
            with self.subTest(name):
                others = []
                self.before_first(module, name, lambda: others.append(staging.StagingDirectory(Channel())))
                with staging.StagingDirectory(Channel()) as directory, others[0]:
                    self.assert_usable(directory)
                    self.assert_usable(others[0])
                self.assert_all_removed()

    def test_gives_a_usable_directory_when_another_call_has_just_locked_the_first_one(self):
        flock = fcntl.flock
        held = []

        def lock():
            held.append(os.open(os.path.join(self.root, *os.listdir(self.root)), os.O_RDONLY))
            flock(held[0], fcntl.LOCK_EX)

        self.before_first(fcntl, "flock", lock)
        with staging.StagingDirectory(Channel()) as directory:
            self.assert_usable(directory)
        os.close(held[0])
        with staging.StagingDirectory(Channel()):
            pass
        self.assert_all_removed()

    def test_keeps_a_directory_locked_until_it_is_removed(self):
        stale = os.path.join(self.root, ".sandbox-tmp-archive-0")
        seen = []
        remove = removal.remove_tree

        def look(parent, name, check):
            handle = os.open(os.path.join(self.root, os.fsdecode(name)), os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                seen.append("free")
            except BlockingIOError:
                seen.append("locked")
            finally:
                os.close(handle)
            remove(parent, name, check)

        self.replace(removal, "remove_tree", look)
        os.mkdir(stale)
        with staging.StagingDirectory(Channel()):
            self.assertFalse(os.path.exists(stale))
        self.assertEqual(seen, ["locked", "locked"])
        self.assert_all_removed()

    def test_leaves_no_descriptor_open_when_it_ends_or_fails(self):
        before = self.descriptors()
        with staging.StagingDirectory(Channel()):
            pass
        self.assertEqual(self.descriptors(), before)
        self.replace(staging, "_REMOVAL_SECONDS", -1)
        channel = Channel()
        with staging.StagingDirectory(channel) as directory:
            os.mkdir("below", dir_fd=directory.handle)
        channel.after_end()
        self.assertEqual(self.descriptors(), before)
        self.assert_all_removed()
        self.replace(fcntl, "flock", mock.Mock(side_effect=OSError(errno.ENOLCK, "no locks")))
        with self.assertRaises(OSError):
            staging.StagingDirectory(Channel())
        self.assertEqual(self.descriptors(), before)


class ManyAtOnceTest(ArchiveTestCase):
    def test_unpacks_every_archive_when_many_come_to_two_agents_at_once(self):
        data = tars.archive(tars.entry(b"d/f", b"x"))
        agents = [self.agent, self.open_agent()]
        for _ in range(60):
            requests = [(agent, agent.open(op="unpack", path="p%d" % index, **LIMITS)) for index in range(4) for agent in agents]
            for agent, request in requests:
                agent.send_input(request, data)
            for agent, request in requests:
                self.assertEqual(agent.wait(request).ok, {"entries": 1, "size": 1})
        self.assertEqual(sorted(os.listdir(self.root)), ["p0", "p1", "p2", "p3"])
