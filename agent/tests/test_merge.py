import errno
import fcntl
import gzip
import os
import shutil
import stat
import tempfile
import time
import unittest
from unittest import mock

import harness
import tars
from test_archive import LIMITS, ArchiveTestCase

from archives import merge
from files import paths
from wire.errors import RequestError

NOBODY = 65534

# Writes down of a moment whether somebody else could take the lock then.
NOTE = """
import errno
import fcntl

def note(moment):
    base = os.path.dirname(paths.ROOT)
    fd = os.open(base, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        moment += ":free "
    except BlockingIOError:
        moment += ":held "
    os.close(fd)
    with open(base + b"/outside/notes", "a") as notes:
        notes.write(moment)
"""


class PermissionTest(ArchiveTestCase):
    def setUp(self):
        super().setUp()
        if os.geteuid() == 0:
            self.give_up_root()

    def give_up_root(self):
        """Has calls of "unpack" made by somebody whom permissions bind."""
        text = harness._text
        self.addCleanup(setattr, harness, "_text", text)
        first = "    umask = os.umask(0)\n"
        harness._text = lambda name: text(name).replace(first, "    os.setuid(%d)\n" % NOBODY + first)
        self.assertIn("setuid", harness._text("archives/unpack.py"))
        for path in (self.base, self.root):
            os.chown(path, NOBODY, NOBODY)
        self.agent = self.open_agent()

    def make(self, name, mode=0o755):
        os.mkdir(self.path(name))
        os.chmod(self.path(name), mode)
        self.hand_over(name)
        self.addCleanup(os.chmod, self.path(name), 0o755)

    def put(self, name, text):
        super().put(name, text)
        self.hand_over(name)

    def hand_over(self, name):
        if os.geteuid() == 0:
            os.chown(self.path(name), NOBODY, NOBODY)

    def assert_denied(self, data, path=""):
        before = self.listing()
        self.assertEqual(self.unpack(data, path).code, "PERMISSION_DENIED")
        self.assertEqual(self.listing(), before)

    def listing(self):
        """All that anybody may see: each file that is put in place has another inode."""
        return sorted((entry.name, entry.inode()) for entry in os.scandir(self.root))

    def test_changes_nothing_when_the_archive_writes_into_a_directory_without_permission(self):
        for name in "abcdef":
            self.put(name, "old")
        for mode in (0o555, 0o444, 0o666, 0o300, 0):
            with self.subTest("mode %o" % mode):
                self.make("mod%o" % mode)
                self.put("mod%o/x" % mode, "old")
                os.chmod(self.path("mod%o" % mode), mode)
                files = [tars.entry(name, b"new") for name in (b"a", b"b", b"c", b"mod%o/x" % mode, b"d", b"e", b"f")]
                self.assert_denied(tars.archive(*files))

    def test_changes_nothing_when_the_directory_without_permission_is_empty(self):
        self.put("a", "old")
        self.make("above")
        self.make("above/mod", 0o555)
        self.assert_denied(tars.archive(tars.entry(b"a", b"new"), tars.entry(b"above/mod/x", b"new")))
        self.assert_denied(tars.archive(tars.entry(b"a", b"new"), tars.entry(b"x", b"new")), "above/mod")
        self.unpack(tars.archive(tars.entry(b"a", b"new"), tars.entry(b"above/x", b"new"))).ok


class LockTest(ArchiveTestCase):
    DATA = tars.archive(tars.entry(b"f", b"new"), tars.entry(b"new/g", b"new"))

    def lock(self):
        fd = os.open(self.base, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        return fd

    def patch(self, name, *replacements):
        """Has calls made by an agent whose module of that name reads otherwise."""
        text = harness._text
        changed = text(name)
        for old, new in replacements:
            self.assertIn(old, changed)
            changed = changed.replace(old, new)
        self.addCleanup(setattr, harness, "_text", text)
        harness._text = lambda each: changed if each == name else text(each)
        self.agent = self.open_agent()

    def test_moves_no_file_into_place_until_the_lock_is_free(self):
        self.put("f", "old")
        fd = self.lock()
        request = self.agent.open(op="unpack", path="", **LIMITS)
        self.agent.send_input(request, self.DATA)
        self.eventually(lambda: any(os.path.exists(self.path(name, "new", "g")) for name in os.listdir(self.root)))
        time.sleep(0.2)
        self.assertEqual((self.agent.answers[request].end, self.read_file("f")), (None, "old"))
        os.close(fd)
        self.agent.wait(request).ok
        self.assertEqual((self.read_file("f"), self.read_file("new/g")), ("new", "new"))

    def read_file(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def test_changes_nothing_when_a_command_holds_the_lock_too_long(self):
        self.patch("files/workspace_lock.py", ("_MAX_WAIT_SECONDS = 10.0", "_MAX_WAIT_SECONDS = 0.2"))
        self.put("f", "old")
        before = self.snapshot(self.root)
        fd = self.lock()
        for path in ("", "made/for/it"):
            self.assertEqual(self.unpack(self.DATA, path).code, "WORKSPACE_LOCKED")
            self.assertEqual(self.snapshot(self.root), before)
        os.close(fd)
        self.unpack(self.DATA).ok

    def test_holds_the_lock_from_the_first_look_to_the_last_move(self):
        self.patch("archives/merge.py", ("import errno\n", NOTE), ("os.stat(", "note('look') or os.stat("), ("os.rename(", "note('move') or os.rename("))
        os.mkdir(self.path("new"))
        self.put("new/g", "old")
        self.unpack(self.DATA).ok
        with open(os.path.join(self.outside, "notes")) as notes:
            self.assertEqual(set(notes.read().split()), {"look:held", "move:held"})


class DeepTest(ArchiveTestCase):
    DEPTH = 2047  # with a name of one letter in each, the longest path that an archive may hold

    def test_merges_a_tree_when_it_is_as_deep_as_an_archive_can_be(self):
        deep = b"d/" * self.DEPTH + b"f"
        for content in (b"first", b"second"):
            for path in ("", "beside"):
                data = tars.archive(tars.pax((b"path", deep)), tars.entry(b"x", content), tars.entry(b"d/top", content))
                self.assertEqual(self.unpack(data, path).ok["entries"], 2)
                self.assertEqual(self.content_below(path), (content, content))
        self.agent.delete("d").ok
        self.agent.delete("beside").ok

    def content_below(self, path):
        """Of `top` in the first directory, and of `f` in the last."""
        here = os.open(self.path(path), os.O_RDONLY)
        found = []
        for level in range(self.DEPTH):
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
            for name in ["top"] * (level == 0) + ["f"] * (level == self.DEPTH - 1):
                file = os.open(name, os.O_RDONLY, dir_fd=here)
                found.append(os.read(file, 100))
                os.close(file)
        os.close(here)
        return tuple(found)

    def test_replaces_every_file_when_the_same_tree_is_unpacked_again(self):
        names = [b"a/b/c/x", b"a/b/d/x", b"a/b/y", b"a/e/f/x", b"a/z", b"g/x", b"h"]
        for content in (b"first", b"second", b"third"):
            self.unpack(gzip.compress(tars.archive(*(tars.entry(name, content) for name in names)))).ok
            files = {path: what for path, (mode, what) in self.snapshot(self.root).items() if stat.S_ISREG(mode)}
            self.assertEqual(files, {os.path.join(os.fsencode(self.root), name): content for name in names})

    def test_moves_no_file_when_there_is_a_conflict_deep_in_the_tree(self):
        for name in ("a/b/c", "a/e/f"):
            os.makedirs(self.path(name))
        self.put("a/x", "old")
        self.put("a/b/c/x", "old")
        os.mkdir(self.path("a/e/f/x"))
        before = self.snapshot(self.root)
        names = [b"a/x", b"a/b/c/x", b"a/e/f/x"]
        self.assertEqual(self.unpack(tars.archive(*(tars.entry(name, b"new") for name in names))).code, "IS_A_DIRECTORY")
        self.assertEqual(self.snapshot(self.root), before)


class MergeTest(unittest.TestCase):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base, True)

    def path(self, *names):
        return os.path.join(self.base, *names)

    def put(self, *names):
        os.makedirs(os.path.dirname(self.path(*names)), exist_ok=True)
        with open(self.path(*names), "w") as file:
            file.write(names[0])

    def merge(self, check=lambda: None):
        source = os.open(self.path("source"), os.O_RDONLY)
        self.addCleanup(os.close, source)
        with paths.Place(os.open(self.base, os.O_PATH), b"target") as place:
            merge.merge_directory(source, place, check)

    def files(self, name):
        return sorted(os.path.relpath(os.path.join(top, file), self.path(name)) for top, _, files in os.walk(self.path(name)) for file in files)

    def descriptors(self):
        return sorted(os.listdir("/proc/self/fd"))

    def test_fails_and_leaves_the_source_when_a_directory_is_moved_away_during_the_merge(self):
        for tree in ("source", "target"):
            for name in ("a/b/c/x", "a/b/d/x", "a/y"):
                self.put(tree, name)
        os.mkdir(self.path("outside"))
        looks = []

        def move():
            looks.append(None)
            if len(looks) == 4:  # in one of the two in the middle of the tree
                os.rename(self.path("target/a/b"), self.path("outside/b"))

        before = self.descriptors()
        with self.assertRaises(RequestError) as raised:
            self.merge(move)
        self.assertEqual((raised.exception.code, len(looks)), ("INTERNAL_ERROR", 5))
        self.assertEqual(self.files("source"), ["a/b/c/x", "a/b/d/x", "a/y"])
        self.assertEqual(len(self.descriptors()), len(before) + 1)  # the source's

    def test_passes_on_the_error_when_a_directory_cannot_be_moved(self):
        self.put("source", "a/x")
        self.put("target", "y")
        with mock.patch.object(os, "rename", side_effect=OSError(errno.ENOSPC, "full")), self.assertRaises(OSError) as raised:
            self.merge()
        self.assertEqual(raised.exception.errno, errno.ENOSPC)
