import contextlib
import gzip
import io
import os
import random
import shutil
import stat
import tarfile
import threading

import harness
import tars
from harness import AgentTestCase, frames

LIMITS = {"max_size": 64 << 20, "max_entries": 20000}


class ArchiveTestCase(AgentTestCase):
    def unpack(self, data, path="", **limits):
        request = self.agent.open(op="unpack", path=path, **{**LIMITS, **limits})
        self.agent.send_input(request, data)
        return self.agent.wait(request)

    def pack(self, path="", **limits):
        return self.agent.call("pack", path=path, **{**LIMITS, **limits})

    def snapshot(self, top):
        """Everything below, with what it holds."""
        found = {}
        for directory, names, files in os.walk(os.fsencode(top)):
            for name in names + files:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                if stat.S_ISLNK(status.st_mode):
                    content = os.readlink(path)
                elif stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file:
                        content = file.read()
                else:
                    content = None
                found[path] = (status.st_mode, content)
        return found

    def assert_refused(self, data, message, path=""):
        before = self.snapshot(self.base)
        answer = self.unpack(data, path)
        self.assertEqual(answer.code, "ARCHIVE_REFUSED")
        self.assertIn(message, answer.end["error"]["detail"])
        self.assertEqual(self.snapshot(self.base), before)


class UnpackTest(ArchiveTestCase):
    def test_unpacks_files_directories_and_links_into_a_new_directory(self):
        data = tars.archive(
            tars.entry(b"d/", kind=b"5", mode=b"0000750"),
            tars.entry(b"d/file", b"content", mode=b"0000640"),
            tars.entry(b"./d/./empty", b""),
            tars.entry(b"made/on/the/way", b"x"),
            tars.entry(b"link", kind=b"2", link=b"d/file"),
            tars.entry(b"d/up", kind=b"2", link=b"../link"),
            tars.entry(b"hard", kind=b"1", link=b"./d/file"),
            tars.entry(b"d/file", b"later"),
        )
        for index, sent in enumerate((data, gzip.compress(data), gzip.compress(data[:700]) + gzip.compress(data[700:]))):
            self.assertEqual(self.unpack(sent, "new/place%d" % index).ok, {"entries": 8, "size": 13})
            place = self.path("new", "place%d" % index)
            with open(os.path.join(place, "d/file")) as file:
                self.assertEqual(file.read(), "later")
            with open(os.path.join(place, "hard")) as file:
                self.assertEqual(file.read(), "content")
            self.assertEqual(os.readlink(os.path.join(place, "d/up")), "../link")
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(place, "d")).st_mode), 0o750)
            self.assertEqual(os.stat(os.path.join(place, "d")).st_mtime, 0o14524770000)
            self.assertEqual(os.stat(os.path.join(place, "d/empty")).st_mtime, 0o14524770000)
            self.assertEqual(os.listdir(self.root), ["new"])

    def test_unpacks_what_tarfile_writes_in_each_of_its_formats(self):
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            names = ["a" * 100, "b/" * 20 + "c" * 90] + (["d/" * 60 + "e" * 250, "f\udce9\n", "\u00e9"] if form != tarfile.USTAR_FORMAT else [])
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as tar:
                for name in names:
                    info = tarfile.TarInfo(name)
                    info.size = 1000
                    info.mtime = 1234567890
                    tar.addfile(info, io.BytesIO(name.encode("utf-8", "surrogateescape").ljust(1000)))
            self.assertEqual(self.unpack(buffer.getvalue(), "t%d" % form).ok["entries"], len(names))
            for name in names:
                with open(self.path("t%d" % form, name), "rb") as file:
                    self.assertEqual(file.read().rstrip(b" "), name.encode("utf-8", "surrogateescape"))

    def test_changes_no_file_when_the_archive_is_forbidden_or_damaged(self):
        self.put("present", "x")
        good = tars.entry(b"good", b"x")
        sparse = [(b"GNU.sparse.major", b"1")]
        for data, message in [
            (tars.entry(b"/abs", b"x"), "absolute"),
            (tars.entry(b"../up", b"x"), "`..`"),
            (tars.entry(b"a/../b", b"x"), "`..`"),
            (tars.entry(b"a/..", kind=b"5"), "`..`"),
            (tars.pax((b"path", b"/abs")) + tars.entry(b"x"), "absolute"),
            (tars.pax((b"path", b"a\0b")) + tars.entry(b"x"), "NUL"),
            (tars.pax((b"path", b"a" * 256)) + tars.entry(b"x"), "too long"),
            (tars.pax((b"path", b"a/" * 3000 + b"b")) + tars.entry(b"x"), "too long"),
            (tars.entry(b"name", b"../../x\0", kind=b"L") + tars.entry(b"z"), "`..`"),
            (tars.entry(b"etc", prefix=b"/", kind=b"0"), "absolute"),
            (tars.entry(b""), "without a name"),
            (tars.entry(b"l", kind=b"2", link=b"/etc"), "may lead out"),
            (tars.entry(b"l", kind=b"2", link=b".."), "may lead out"),
            (tars.entry(b"a/l", kind=b"2", link=b"../.."), "may lead out"),
            (tars.entry(b"a/l", kind=b"2", link=b"b/../.."), "may lead out"),
            (tars.entry(b"l", kind=b"2", link=b""), "usable target"),
            (tars.pax((b"linkpath", b"../x")) + tars.entry(b"l", kind=b"2", link=b"x"), "may lead out"),
            (tars.entry(b"l", kind=b"2", link=b".") + tars.entry(b"l/x", b"x"), "through a file or link"),
            (tars.entry(b"f", b"x") + tars.entry(b"f/x", b"x"), "through a file or link"),
            (tars.entry(b"d/x", b"x") + tars.entry(b"d", b"x"), "one name"),
            (tars.entry(b"h", kind=b"1", link=b"present"), "hard link"),
            (tars.entry(b"h", kind=b"1", link=b"../present"), "`..`"),
            (tars.entry(b"h", kind=b"1", link=b"/etc/passwd"), "absolute"),
            (tars.entry(b"d/", kind=b"5") + tars.entry(b"h", kind=b"1", link=b"d"), "hard link"),
            (tars.entry(b"l", kind=b"2", link=b"good") + tars.entry(b"h", kind=b"1", link=b"l"), "hard link"),
            (tars.entry(b"c", kind=b"3"), "a device"),
            (tars.entry(b"b", kind=b"4"), "a device"),
            (tars.entry(b"p", kind=b"6"), "a FIFO"),
            (tars.entry(b"s", kind=b"S"), "a sparse file"),
            (tars.pax(*sparse) + tars.entry(b"s"), "a sparse file"),
            (tars.pax(*sparse, kind=b"g") + tars.entry(b"s"), "a sparse file"),
            (tars.pax((b"path", b"x"), kind=b"g"), "global header"),
            (tars.entry(b"v", kind=b"V"), "unknown type"),
            (tars.header(b"neg", size_field=b"\xff" * 12), "out of range"),
            (tars.header(b"bad", size_field=b"0000000000x\0"), "damaged"),
            (tars.entry(b"d", b"content", kind=b"5"), "content where none"),
            (tars.entry(b"p", b"9 path=x\n", kind=b"x") + tars.entry(b"x") + tars.entry(b"q", b"99 path=x\n", kind=b"x"), "malformed"),
            (tars.pax((b"size", b"-1")) + tars.entry(b"x"), "malformed"),
            (tars.pax((b"a", b"b")) * 5 + tars.entry(b"x"), "out of all proportion"),
            (tars.entry(b"x", bytes(70000), kind=b"x"), "out of all proportion"),
            (tars.pax((b"a", b"b")), "has no entry"),
            (tars.header(b"m", magic=b"notustar"), "unknown format"),
        ]:
            with self.subTest(message=message, start=data[:40]):
                for path in ("", "new/place"):
                    self.assert_refused(tars.archive(good, data), message, path)
        self.assert_refused(b"", "cut off")
        self.assert_refused(good, "cut off")
        self.assert_refused(tars.header(b"f", 5000) + b"x" * 100, "cut off")
        self.assert_refused(gzip.compress(good + bytes(1024))[:-20], "cut off")
        self.assert_refused(b"\x1f\x8bgarbage", "no gzip")
        self.assert_refused(tars.archive(good) + b"x", "behind its end")
        self.assert_refused(tars.archive(good) + bytes(2 << 20), "behind its end")
        self.assert_refused(b"x" * 2000, "no tar archive")

    def test_refuses_an_archive_when_it_has_more_bytes_or_entries_than_the_limit(self):
        big = tars.archive(tars.entry(b"a", b"x" * 600), tars.entry(b"b", b"x" * 600))
        for data in (big, gzip.compress(big)):
            self.assertEqual(self.unpack(data, max_size=1199).code, "FILE_TOO_LARGE")
            self.assertEqual(self.unpack(data, max_entries=1).code, "FILE_TOO_LARGE")
            self.assertEqual(os.listdir(self.root), [])
            self.assertEqual(self.unpack(data, "fits", max_size=1200, max_entries=2).ok, {"entries": 2, "size": 1200})
            self.agent.delete("fits").ok

    def test_refuses_an_entry_when_its_header_announces_more_bytes_than_the_limit(self):
        bomb = tars.header(b"bomb", size_field=b"\x80" + bytes(4) + b"\x7f" * 7)
        self.assertEqual(self.unpack(bomb).code, "FILE_TOO_LARGE")
        self.assertEqual(os.listdir(self.root), [])

    def test_drops_setuid_and_sticky_bits_and_gives_the_owner_full_access_to_directories(self):
        self.unpack(tars.archive(tars.entry(b"s", b"x", mode=b"0007777"), tars.entry(b"d", kind=b"5", mode=b"0007055"), tars.entry(b"r", mode=b"0000400"))).ok
        self.assertEqual([stat.S_IMODE(os.stat(self.path(name)).st_mode) for name in "sdr"], [0o777, 0o755, 0o400])

    def test_leaves_no_file_when_the_call_is_cancelled(self):
        request = self.agent.open(op="unpack", path="a/b", **LIMITS)
        self.agent.send(frames.DATA, request, tars.entry(b"f", b"x" * 5000))
        self.agent.pump_until(lambda: self.agent.answers[request].granted)
        self.eventually(lambda: os.listdir(self.root))
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")
        self.assertEqual(os.listdir(self.root), [])

    def test_removes_what_a_killed_call_left_when_the_next_call_comes(self):
        request = self.agent.open(op="unpack", path="", **LIMITS)
        self.agent.send(frames.DATA, request, tars.entry(b"f", b"x" * 5000))
        self.eventually(lambda: os.listdir(self.root))
        before = set(self.children_of(self.agent.process.pid))
        other = self.agent.open(op="unpack", path="", **LIMITS)
        self.agent.send_input(other, tars.archive(tars.entry(b"g", b"x")))
        self.agent.wait(other).ok
        self.assertEqual(len(os.listdir(self.root)), 2, "a call under way keeps its directory")
        for pid in before:
            os.kill(pid, 9)
        self.assertEqual(self.agent.wait(request).code, "SANDBOX_LOST")
        # One of them rested, and would be given the next call until the router has reaped it.
        self.eventually(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in before))
        self.assertEqual(len(os.listdir(self.root)), 2)
        self.unpack(tars.archive(tars.entry(b"g", b"x"))).ok
        self.assertEqual(os.listdir(self.root), ["g"])

    def test_answers_first_when_the_removal_of_its_files_takes_long(self):
        text = harness._text
        self.addCleanup(setattr, harness, "_text", text)
        harness._text = lambda name: text(name).replace("_REMOVAL_SECONDS = 1.5", "_REMOVAL_SECONDS = -1")
        self.agent = self.open_agent()
        files = [tars.entry(b"f%d" % index) for index in range(300)]
        self.assertEqual(self.unpack(tars.archive(*files, tars.entry(b"/"))).code, "ARCHIVE_REFUSED")
        self.eventually(lambda: not os.listdir(self.root))
        self.assertEqual(self.unpack(tars.archive(*files)).ok["entries"], 300)

    def test_refuses_a_link_that_leads_outside_when_it_is_in_the_target_path(self):
        os.symlink(self.outside, self.path("out"))
        os.mkdir(self.path("real"))
        os.symlink("real", self.path("in"))
        data = tars.archive(tars.entry(b"f", b"x"))
        for path in ("out", "out/new"):
            self.assertEqual(self.unpack(data, path).code, "PATH_OUTSIDE_WORKSPACE")
        self.unpack(data, "in").ok
        self.assertEqual(os.listdir(self.path("real")), ["f"])
        os.symlink(self.outside, self.path("real", "d"))
        self.assertEqual(self.unpack(tars.archive(tars.entry(b"d/f", b"x")), "real").code, "NOT_A_DIRECTORY")
        self.assertEqual(os.listdir(self.outside), [])


class SwapTest(ArchiveTestCase):
    def setUp(self):
        super().setUp()
        self.going = True
        self.swaps = 0
        self.thread = threading.Thread(target=self.swap)
        self.addCleanup(self.stop)
        with open(os.path.join(self.outside, "secret"), "w") as file:
            file.write("secret" * 50_000)  # more than is held back before it is sent

    def stop(self):
        self.going = False
        self.thread.join()

    def swap(self):
        """Makes links to the outside of the directories of an unpacking, and of the target, and back again, as fast as it can."""
        while self.going:
            places = [self.path("target", "d0")]
            for name in os.listdir(self.root):
                if name.startswith(".sandbox-tmp-"):
                    places += [self.path(name, "d%d" % index) for index in range(3)]
            for place in places:
                try:
                    os.rename(place, self.path("aside"))
                except OSError:
                    continue
                with contextlib.suppress(OSError):
                    os.symlink(self.outside, place)
                    self.swaps += 1
                with contextlib.suppress(OSError):
                    os.unlink(place)
                try:
                    os.rename(self.path("aside"), place)
                except OSError:
                    shutil.rmtree(self.path("aside"), True)

    def test_writes_nothing_outside_when_directories_are_swapped_for_links_during_unpacking(self):
        files = [tars.entry(b"d%d/e%d/planted%d" % (index % 3, index % 5, index), b"x") for index in range(400)]
        self.thread.start()
        answers = set()
        rounds = 0
        while rounds < 60 or (self.swaps < 200 and rounds < 1000):
            rounds += 1
            answer = self.unpack(tars.archive(*files), "target")
            answers.add("ok" if "ok" in answer.end else answer.code)
        self.assertGreater(self.swaps, 100)
        self.assertEqual(os.listdir(self.outside), ["secret"])
        # Where it was torn apart it failed, and said so.
        self.assertLessEqual(answers, {"ok", "ARCHIVE_REFUSED", "NOT_FOUND", "NOT_A_DIRECTORY", "IS_A_DIRECTORY", "PATH_OUTSIDE_WORKSPACE", "INTERNAL_ERROR"})
        self.assertEqual(self.agent.run("echo alive").stdout, b"alive\n")

    def test_reads_nothing_outside_when_directories_are_swapped_for_links_during_packing(self):
        os.makedirs(self.path("target", "d0", "below"))
        self.thread.start()
        rounds = 0
        while rounds < 1000 or (self.swaps < 1000 and rounds < 5000):
            rounds += 1
            self.assertNotIn(b"secret", self.pack("target").stdout)
        self.assertGreater(self.swaps, 500)
        self.assertEqual(os.listdir(self.outside), ["secret"])


class PackTest(ArchiveTestCase):
    def members(self, data):
        return {name: (kind, mode, target or content) for kind, mode, _, name, target, content in tars.records(data)}

    def test_packs_files_directories_and_links_with_their_names_and_contents(self):
        os.makedirs(self.path("d", "deep", "er"))
        names = [b"plain", b"d/\xe9\n", "d/\u00e9".encode(), b"d/deep/" + b"x" * 250, b"d/" + b"y" * 98, b"d/" + b"y" * 97, b"-rf", b"d/deep/er/\x01"]
        for name in names:
            with open(os.fsencode(self.root) + b"/" + name, "wb") as file:
                file.write(name * 1000)
        os.chmod(self.path("plain"), 0o6751)
        os.symlink("/anywhere/" + "z" * 200, self.path("link"))
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path(".sandbox-tmp-x"))
        answer = self.pack()
        self.assertEqual(answer.ok, {"entries": len(names) + 4, "size": sum(len(name) * 1000 for name in names)})
        members = self.members(answer.stdout)
        for name in names:
            self.assertEqual(members.pop(name)[::2], (b"0", name * 1000))
        self.assertEqual(sorted(members), [b"d", b"d/deep", b"d/deep/er", b"link"])
        self.assertEqual(members[b"link"], (b"2", 0o777, b"/anywhere/" + b"z" * 200))
        self.assertEqual(self.members(answer.stdout)[b"plain"][1], 0o751)
        self.assertEqual(list(self.members(self.pack("d/deep").stdout)), [b"er", b"x" * 250, b"er/\x01"])

    def test_makes_the_same_tree_when_a_packed_tree_is_unpacked(self):
        os.makedirs(self.path("from", "a", "b"))
        for index in range(300):
            with open(self.path("from", "a", "f%d" % index), "wb") as file:
                file.write(os.urandom(index * 7))
            os.utime(self.path("from", "a", "f%d" % index), (index, index))
        os.symlink("../b", self.path("from", "a", "b", "l"))
        data = self.pack("from").stdout
        self.unpack(tars.archive_of(data), "to").ok
        self.assertEqual(self.pack("to").stdout, data)
        self.assertEqual(
            {path.replace(b"/from/", b"/to/", 1): what for path, what in self.snapshot(self.path("from")).items()}, self.snapshot(self.path("to"))
        )

    def test_refuses_to_pack_when_a_limit_is_passed_or_the_path_is_missing_or_outside(self):
        self.put("a", "x" * 100)
        self.put("b", "x" * 100)
        self.assertEqual(self.pack(max_size=199).code, "FILE_TOO_LARGE")
        self.assertEqual(self.pack(max_size=200).ok, {"entries": 2, "size": 200})
        self.assertEqual(self.pack(max_entries=1).code, "FILE_TOO_LARGE")
        self.assertEqual(self.pack(max_entries=2).ok, {"entries": 2, "size": 200})
        self.assertEqual(self.pack("none").code, "NOT_FOUND")
        os.symlink(self.outside, self.path("out"))
        self.assertEqual(self.pack("out").code, "PATH_OUTSIDE_WORKSPACE")

    def test_packs_one_file_when_the_path_is_a_file_or_a_link_to_one(self):
        content = os.urandom(200_000)
        os.mkdir(self.path("d"))
        with open(self.path("d", "file"), "wb") as file:
            file.write(content)
        os.chmod(self.path("d", "file"), 0o751)
        os.symlink("d/file", self.path("link"))
        for path, name in [("d/file", b"file"), ("link", b"link")]:
            answer = self.pack(path)
            self.assertEqual(answer.ok, {"entries": 1, "size": 200_000})
            self.assertEqual(self.members(answer.stdout), {name: (b"0", 0o751, content)})
        answer = self.pack("d/file", max_size=199_999)
        self.assertEqual((answer.code, answer.stdout), ("FILE_TOO_LARGE", b""))
        self.assertEqual(self.pack("d/file", max_size=200_000, max_entries=1).ok, {"entries": 1, "size": 200_000})
        os.mkfifo(self.path("fifo"))
        self.assertEqual(self.pack("fifo").code, "NOT_A_REGULAR_FILE")
        self.assertEqual(self.unpack(tars.archive(tars.entry(b"x", b"x")), "d/file").code, "NOT_A_DIRECTORY")

    def test_packs_and_unpacks_a_tree_of_1500_levels(self):
        here = os.open(self.root, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        answer = self.pack()
        self.assertEqual(answer.ok["entries"], 1500)
        self.unpack(tars.archive_of(answer.stdout), "again").ok
        self.assertEqual(self.pack("again").stdout, answer.stdout)
        self.agent.delete("d").ok
        self.agent.delete("again").ok

    def test_keeps_the_announced_size_when_a_file_changes_while_it_is_packed(self):
        for name in ("a", "b"):
            self.put(name, "x" * 1_000_000)
        self.put("c", "end")
        self.agent.auto_credit = False
        request = self.agent.open(op="pack", path="", **LIMITS)
        self.agent.pump_until(lambda: len(self.agent.answers[request].stdout) == frames.WINDOW)
        os.truncate(self.path("a"), 600_000)
        with open(self.path("b"), "a") as file:
            file.write("y" * 5000)
        self.agent.credit(request, 4 << 20)
        answer = self.agent.wait(request)
        self.assertIn("ok", answer.end)
        members = self.members(answer.stdout)
        self.assertEqual((len(members[b"a"][2]), members[b"a"][2][:1000], members[b"a"][2][-1000:]), (1_000_000, b"x" * 1000, bytes(1000)))
        self.assertEqual(members[b"c"][2], b"end")


class FuzzTest(ArchiveTestCase):
    CASES = 4000

    def test_writes_nothing_outside_the_target_when_the_archive_is_hostile(self):
        seed = int(os.environ.get("FUZZ_SEED", 487652962))
        chance = random.Random(seed)
        with open(os.path.join(self.outside, "secret"), "w") as file:
            file.write("secret")
        os.symlink(self.outside, self.path("out"))
        self.put("present", "x")
        os.mkdir(self.path("target"))
        outside = self.snapshot(self.outside)
        accepted = 0
        for case in range(self.CASES):
            data = self.hostile(chance)
            before = self.snapshot(self.root)
            answer = self.unpack(data, "target", max_size=100_000, max_entries=50)
            with self.subTest("FUZZ_SEED=%d case %d: %r" % (seed, case, data[:2000])):
                after = self.snapshot(self.root)
                self.assertEqual(self.snapshot(self.outside), outside)
                if "error" in answer.end:
                    self.assertIn(answer.code, ("ARCHIVE_REFUSED", "FILE_TOO_LARGE", "IS_A_DIRECTORY", "NOT_A_DIRECTORY", "INVALID_PATH"))
                    self.assertEqual(after, before)
                else:
                    accepted += 1
                    target = os.fsencode(self.path("target"))
                    for path, (mode, link) in after.items():
                        if not path.startswith(target):
                            self.assertEqual((mode, link), before[path])
                        self.assertFalse(mode & 0o7000)
                        self.assertTrue(stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
                        if stat.S_ISLNK(mode) and path.startswith(target):
                            self.assertTrue((os.path.realpath(path) + b"/").startswith(target + b"/"), (path, link))
            if case % 20 == 0:
                self.agent.delete("target").ok
                os.mkdir(self.path("target"))
        self.assertGreater(accepted, self.CASES / 20)
        self.assertEqual(self.agent.run("echo alive").stdout, b"alive\n")

    NAMES = [b"a", b"b", b"a/b", b"a/b/c", b"./a", b"a//c", b"..", b"../x", b"a/../b", b"/etc/x", b"", b".", b"a/", b"present", b"target", b"a" * 100, b"\xff\xfe", b"a\nb"]
    LINKS = [b"a", b"b", b"a/b", b"..", b"../a", b"../..", b"a/..", b"a/../..", b"/etc", b"/", b".", b"", b"../out/secret", b"../../outside"]

    def hostile(self, chance):
        """Mostly of parts that are sound by themselves, so that a good share is unpacked."""
        parts = [self.part(chance) for _ in range(chance.randrange(1, 6))]
        data = tars.archive(*parts)
        roll = chance.random()
        if roll < 0.3:
            # Damage, with the sums of headers left wrong, or made right again.
            damaged = bytearray(data)
            for _ in range(chance.randrange(1, 5)):
                at = chance.randrange(len(damaged))
                damaged[at] = chance.choice([0, 0x20, 0x2F, 0x2E, 0x30, 0x37, 0x80, 0xFF, chance.randrange(256)])
                if chance.random() < 0.7:
                    block = at - at % 512
                    damaged[block : block + 512] = tars.seal(damaged[block : block + 512])
            data = bytes(damaged)
        elif roll < 0.4:
            data = data[: chance.randrange(len(data))]
        elif roll < 0.45:
            data = bytes(chance.randrange(256) for _ in range(chance.randrange(2000)))
        if chance.random() < 0.2:
            data = gzip.compress(data)
            if chance.random() < 0.3:
                damaged = bytearray(data)
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
                data = bytes(damaged)
        return data

    def part(self, chance):
        name = chance.choice(self.NAMES if chance.random() < 0.3 else self.NAMES[:6])
        link = chance.choice(self.LINKS if chance.random() < 0.5 else self.LINKS[:3])
        kind = chance.choice([b"0", b"0", b"0", b"1", b"2", b"2", b"5", b"5", b"\0", b"3", b"6", b"S", b"7", b"V"] if chance.random() < 0.2 else [b"0", b"0", b"2", b"5", b"1"])
        content = b"x" * chance.choice([0, 1, 511, 512, 513, 3000]) if kind in (b"0", b"\0", b"7") else b""
        before = b""
        if chance.random() < 0.15:
            key = chance.choice([b"path", b"linkpath", b"size", b"mtime", b"GNU.sparse.major", b"comment"])
            before = tars.pax((key, chance.choice(self.NAMES + self.LINKS + [b"0", b"99999999999", b"1.5", b"-1"])), kind=chance.choice([b"x", b"x", b"g"]))
        elif chance.random() < 0.1:
            before = tars.entry(b"n", chance.choice(self.NAMES) + b"\0", kind=chance.choice([b"L", b"K"]))
        mode = b"%07o" % chance.choice([0, 0o644, 0o755, 0o4755, 0o7777, 0o1777])
        return before + tars.entry(name, content, kind=kind, link=link, mode=mode, prefix=chance.choice([b""] * 9 + [b"..", b"/", b"p"]))
