import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest.mock

from harness import AgentTestCase, frames, line_of, text_of

from files import paths
from files.writing import Replacement


class WorkspaceTestCase(AgentTestCase):
    def entries(self, path=""):
        answer = self.agent.list(path)
        lines = [line_of(line) for line in answer.stdout.splitlines()]
        self.assertEqual(answer.ok, {"count": len(lines), "truncated": False, "skipped": 0})
        return lines

    def content(self, path, **settings):
        """(the line before the bytes, the bytes)"""
        answer = self.agent.read(path, **settings)
        self.assertEqual(answer.ok, {})
        head, _, content = answer.stdout.partition(b"\n")
        return json.loads(head), content

    def etag(self, path):
        return self.agent.call("stat", path=path).ok["etag"]

    def secret(self):
        path = os.path.join(self.outside, "secret")
        with open(path, "w") as file:
            file.write("secret")
        return path


class ReadTest(WorkspaceTestCase):
    def test_reads_a_whole_file_and_the_requested_ranges(self):
        self.put("file", "0123456789")
        for offset, length, expected in [(0, None, "0123456789"), (3, None, "3456789"), (3, 4, "3456"), (8, 50, "89"), (-3, None, "789"), (-30, None, "0123456789")]:
            head, content = self.content("file", offset=offset, length=length)
            self.assertEqual(content.decode(), expected)
            self.assertEqual((head["size"], head["length"]), (10, len(expected)))
            self.assertEqual(head["offset"], (offset if offset >= 0 else max(0, 10 + offset)))
            self.assertEqual(head["modified"], os.stat(self.path("file")).st_mtime)

    def test_sends_a_long_file_in_full_frames(self):
        self.put("file", "x" * 1_000_000)
        sizes = []
        take = self.agent._take

        def note(kind, request_id, payload):
            if kind == frames.OUT:
                sizes.append(len(payload))
            take(kind, request_id, payload)

        self.agent._take = note
        self.assertEqual(len(self.content("file")[1]), 1_000_000)
        self.assertEqual(set(sizes[:-1]), {frames.MAX_AGENT_PAYLOAD})

    def test_refuses_a_range_when_it_begins_past_the_end(self):
        self.put("file", "0123456789")
        self.put("empty", "")
        self.assertEqual(self.agent.read("file", 10, None).code, "RANGE_NOT_SATISFIABLE")
        self.assertEqual(self.agent.read("file", 11, 1).code, "RANGE_NOT_SATISFIABLE")
        self.assertEqual(self.agent.read("empty", 0, 1).code, "RANGE_NOT_SATISFIABLE")
        self.assertEqual(self.content("empty")[1], b"")

    def test_waits_for_credit_and_gives_every_byte_when_a_file_is_large(self):
        blob = os.urandom(3_000_000)
        with open(self.path("blob"), "wb") as file:
            file.write(blob)
        self.agent.auto_credit = False
        request = self.agent.open(op="read", path="blob", offset=0, length=None, max_length=0)
        self.agent.pump_until(lambda: len(self.agent.answers[request].stdout) == frames.WINDOW)
        self.assertEqual(self.agent.run("echo other").stdout, b"other\n")
        self.assertEqual(len(self.agent.answers[request].stdout), frames.WINDOW)
        self.agent.credit(request, 4 << 20)
        self.assertEqual(self.agent.wait(request).stdout.partition(b"\n")[2], blob)

    def test_limits_the_size_of_the_part_and_not_of_the_file(self):
        self.put("file", "0123456789")
        answer = self.agent.read("file", max_length=9)
        self.assertEqual(answer.end["error"], {"code": "FILE_TOO_LARGE", "detail": "The file has 10 bytes, and this answer holds 9 at most."})
        self.assertEqual(answer.stdout, b"")
        self.assertEqual(self.content("file", max_length=10)[1], b"0123456789")
        self.assertEqual(self.content("file", max_length=3, offset=4, length=3)[1], b"456")
        self.assertEqual(self.content("file", max_length=3, offset=8, length=100)[1], b"89")
        self.assertEqual(self.content("file", max_length=3, offset=-3)[1], b"789")
        self.assertIn("This part of the file has 4 bytes", self.agent.read("file", max_length=3, offset=-4).end["error"]["detail"])

    def test_reads_a_part_when_the_file_is_too_large_for_memory(self):
        with open(self.path("huge"), "wb") as file:
            file.write(b"first\nsecond\n")
            file.truncate(1 << 40)
            file.seek((1 << 40) - 4)
            file.write(b"last")
        head, content = self.content("huge", offset=-4)
        self.assertEqual((head["size"], head["offset"], content), (1 << 40, (1 << 40) - 4, b"last"))
        self.assertEqual(self.content("huge", offset=6, length=6)[1], b"second")

    def test_reads_the_beginning_and_the_end_when_an_excerpt_is_requested(self):
        self.put("file", "0123456789")
        excerpt = {"head": 3, "tail": 2, "whole": ["3031..33"], "max_whole": 9}
        for settings, offset, omitted, expected in [
            ({}, 0, 5, b"01289"),
            ({"offset": 2, "length": 7}, 2, 2, b"23478"),
            ({"offset": 2, "length": 5}, 2, 0, b"23456"),
            ({"excerpt": {**excerpt, "tail": 0}}, 0, 7, b"012"),
            ({"excerpt": {**excerpt, "max_whole": 10}, "offset": 5}, 0, 0, b"0123456789"),
            ({"excerpt": {**excerpt, "max_whole": 10, "whole": ["3132", "30" * 11]}}, 0, 5, b"01289"),
        ]:
            head, content = self.content("file", **{"excerpt": excerpt, **settings})
            self.assertEqual((head["offset"], head["length"], head["omitted"], content), (offset, len(expected), omitted, expected))
            self.assertEqual(bytes.fromhex(head["beginning"]), b"0123456789")

    def test_reads_the_whole_file_when_the_etag_of_the_range_is_not_current(self):
        self.put("file", "0123456789")
        tag = self.etag("file")
        self.assertEqual(self.content("file", offset=2, length=3, if_range=tag)[1], b"234")
        for offset, length in [(2, 3), (-3, None), (50, 1)]:
            head, content = self.content("file", offset=offset, length=length, if_range="another")
            self.assertEqual((head["offset"], head["length"], content), (0, 10, b"0123456789"))

    def test_ends_a_read_in_an_error_when_the_file_becomes_shorter(self):
        self.put("file", "x" * 1_000_000)
        self.agent.auto_credit = False
        request = self.agent.open(op="read", path="file", offset=0, length=None, max_length=0)
        self.agent.pump_until(lambda: len(self.agent.answers[request].stdout) == frames.WINDOW)
        os.truncate(self.path("file"), 10)
        self.agent.credit(request, 4 << 20)
        self.assertEqual(self.agent.wait(request).code, "INTERNAL_ERROR")

    def test_refuses_to_read_and_write_a_path_when_it_is_no_regular_file(self):
        os.mkdir(self.path("dir"))
        os.mkfifo(self.path("fifo"))
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self.path("socket"))
        for name, code in [("dir", "IS_A_DIRECTORY"), ("", "IS_A_DIRECTORY"), ("fifo", "NOT_A_REGULAR_FILE"), ("socket", "NOT_A_REGULAR_FILE"), ("missing", "NOT_FOUND"), ("missing/x", "NOT_FOUND"), ("fifo/x", "NOT_A_DIRECTORY")]:
            self.assertEqual(self.agent.read(name).code, code, name)
            if code not in ("NOT_FOUND",):
                self.assertEqual(self.agent.write(name, b"x").code, code, name)

    def test_refuses_to_read_and_write_a_device(self):
        if os.geteuid() != 0:
            self.skipTest("only root makes devices")
        os.mknod(self.path("zero"), stat.S_IFCHR | 0o666, os.makedev(1, 5))
        self.assertEqual(self.agent.read("zero").code, "NOT_A_REGULAR_FILE")
        self.assertEqual(self.agent.write("zero", b"x").code, "NOT_A_REGULAR_FILE")

    def test_answers_permission_denied_when_a_file_cannot_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root can read everything")
        os.chmod(self.put("file", "x"), 0)
        self.assertEqual(self.agent.read("file").code, "PERMISSION_DENIED")

    def test_ends_a_read_when_the_call_is_cancelled(self):
        self.put("file", "x" * 1_000_000)
        self.agent.auto_credit = False
        request = self.agent.open(op="read", path="file", offset=0, length=None, max_length=0)
        self.agent.pump_until(lambda: len(self.agent.answers[request].stdout) == frames.WINDOW)
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")


class WriteTest(WorkspaceTestCase):
    def assert_no_temporary_file(self, *directory):
        self.assertEqual([name for name in os.listdir(self.path(*directory)) if name.startswith(".sandbox-tmp")], [])

    def test_makes_a_new_file_and_its_parent_directories(self):
        self.assertEqual(self.agent.write("a/b/c", b"content").ok, {"size": 7, "created": True, "etag": self.etag("a/b/c")})
        with open(self.path("a", "b", "c")) as file:
            self.assertEqual(file.read(), "content")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("a", "b", "c")).st_mode), 0o644)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("a", "b")).st_mode), 0o755)
        self.assert_no_temporary_file("a", "b")

    def test_keeps_the_mode_when_a_file_is_replaced(self):
        os.chmod(self.put("file", "old"), 0o751)
        self.assertEqual(self.agent.write("file", b"new").ok, {"size": 3, "created": False, "etag": self.etag("file")})
        self.assertEqual(stat.S_IMODE(os.stat(self.path("file")).st_mode), 0o751)
        self.assertEqual(self.content("file")[1], b"new")

    def test_sets_the_requested_mode_on_new_and_replaced_files_without_setuid(self):
        os.chmod(self.put("old", "old"), 0o751)
        for name in ("old", "new"):
            for mode in (0o755, 0o4600):
                self.assertEqual(self.agent.write(name, b"new", mode=mode).ok["size"], 3)
                self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), mode & 0o777)

    def test_leaves_no_temporary_file_when_a_write_is_killed(self):
        self.put("file", "old")
        self.skip_without_nameless_files()
        request = self.agent.open(op="write", path="file", max_size=0)
        self.agent.send(frames.DATA, request, b"new" * 1000)
        self.agent.pump_until(lambda: self.agent.answers[request].granted)
        self.kill_workers()
        self.assertEqual(self.agent.wait(request).code, "SANDBOX_LOST")
        self.assertEqual(os.listdir(self.root), ["file"])

    def test_leaves_no_temporary_file_when_a_write_is_killed_while_it_waits_for_the_lock(self):
        self.put("file", "old")
        self.skip_without_nameless_files()
        held = os.open(self.base, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, held)
        fcntl.flock(held, fcntl.LOCK_EX)
        requests = [self.agent.open(op="write", path="file", max_size=0), self.agent.start_edit("file", [("old", "new")])]
        self.agent.send_input(requests[0], b"new")
        # Nothing is to be seen of a write: by then it has long come to the lock.
        time.sleep(0.5)
        self.kill_workers()
        self.assertEqual([self.agent.wait(each).code for each in requests], ["SANDBOX_LOST"] * 2)
        self.assertEqual(os.listdir(self.root), ["file"])

    def skip_without_nameless_files(self):
        try:
            os.close(os.open(self.root, os.O_WRONLY | os.O_TMPFILE))
        except OSError:
            self.skipTest("the file system does not know O_TMPFILE")

    def kill_workers(self):
        for pid in self.children_of(self.agent.process.pid):
            os.kill(pid, signal.SIGKILL)

    def test_writes_through_a_temporary_file_when_the_file_system_has_no_nameless_files(self):
        opened = os.open

        def refuse(name, flags, *more, **settings):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "not here")
            return opened(name, flags, *more, **settings)

        with unittest.mock.patch("os.open", refuse):
            place = paths.Place(opened(self.root, os.O_PATH), b"file")
            self.addCleanup(os.close, place.directory)
            with Replacement(place) as replacement:
                replacement.write(b"content")
                self.assertEqual([name[:13] for name in os.listdir(self.root)], [".sandbox-tmp-"])
                replacement.finish()
                self.assertEqual(replacement.commit(), self.etag("file"))
            with Replacement(place) as replacement:
                replacement.write(b"more")
        self.assertEqual(os.listdir(self.root), ["file"])
        self.assertEqual(self.content("file")[1], b"content")

    def test_leaves_no_temporary_file_when_the_target_cannot_be_replaced(self):
        place = paths.Place(os.open(self.root, os.O_PATH), b"file")
        self.addCleanup(os.close, place.directory)
        with self.assertRaises(IsADirectoryError), Replacement(place) as replacement:
            replacement.finish()
            os.mkdir(self.path("file"))
            replacement.commit()
        self.assertEqual(os.listdir(self.root), ["file"])

    def test_writes_an_empty_and_a_large_file(self):
        for content in (b"", os.urandom(3_000_000)):
            self.assertEqual(self.agent.write("file", content).ok["size"], len(content))
            self.assertEqual(self.content("file")[1], content)

    def test_shows_readers_the_old_file_until_the_new_one_is_complete(self):
        self.put("file", "old")
        request = self.agent.open(op="write", path="file", max_size=0)
        self.agent.send(frames.DATA, request, b"new")
        self.agent.pump_until(lambda: self.agent.answers[request].granted == 3)
        self.assertEqual(self.content("file")[1], b"old")
        self.agent.send(frames.EOF, request)
        self.agent.wait(request)
        self.assertEqual(self.content("file")[1], b"new")

    def test_keeps_the_old_file_when_the_new_one_passes_the_size_limit(self):
        self.put("file", "old")
        self.assertEqual(self.agent.write("file", b"x" * 300_000, max_size=299_999).code, "FILE_TOO_LARGE")
        self.assertEqual(self.content("file")[1], b"old")
        self.assert_no_temporary_file()
        self.assertEqual(self.agent.write("file", b"x" * 300_000, max_size=300_000).ok["size"], 300_000)

    def test_keeps_the_old_file_when_the_call_is_cancelled(self):
        self.put("file", "old")
        request = self.agent.open(op="write", path="file", max_size=0)
        self.agent.send(frames.DATA, request, b"new")
        self.agent.pump_until(lambda: self.agent.answers[request].granted == 3)
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")
        self.assertEqual(self.content("file")[1], b"old")
        self.assert_no_temporary_file()

    def test_keeps_the_old_file_when_the_channel_ends(self):
        self.put("file", "old")
        agent = self.open_agent()
        request = agent.open(op="write", path="file", max_size=0)
        agent.send(frames.DATA, request, b"new")
        agent.pump_until(lambda: agent.answers[request].granted == 3)
        agent.hang_up()
        self.eventually(lambda: os.listdir(self.root) == ["file"])
        self.assertEqual(self.content("file")[1], b"old")

    def test_keeps_the_old_file_when_the_disk_is_full(self):
        if os.geteuid() != 0:
            self.skipTest("only root mounts a small file system")
        os.mkdir(self.path("small"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.path("small")], check=True)
        self.addCleanup(subprocess.run, ["umount", self.path("small")])
        self.agent.write("small/file", b"old")
        self.assertEqual(self.agent.write("small/file", b"x" * 2_000_000).code, "STORAGE_FULL")
        self.assertEqual(self.content("small/file")[1], b"old")
        self.assert_no_temporary_file("small")
        self.assertEqual(self.agent.write("small/file", b"new").ok["size"], 3)

    def test_refuses_a_write_when_a_parent_is_a_file(self):
        self.put("file", "x")
        self.assertEqual(self.agent.write("file/x", b"x").code, "NOT_A_DIRECTORY")


class NamesTest(WorkspaceTestCase):
    NAMES = [b"it's", b'"quoted"', b"new\nline", b"-rf", b"$(id)", b"a b", b"back\\slash", b"\xff\xfe", "\u00e9\U0001f600".encode(), b"*", b"\x01\x7f", b"x" * 255]

    def test_writes_reads_lists_and_deletes_files_when_their_names_have_special_characters(self):
        for raw in self.NAMES:
            name = text_of(raw)
            self.assertEqual(self.agent.write("dir/" + name, raw).ok["created"], True)
            self.assertEqual(self.content("dir/" + name)[1], raw)
        self.assertEqual(sorted(os.listdir(os.fsencode(self.path("dir")))), sorted(self.NAMES))
        listed = [entry["name"] for entry in self.entries("dir")]
        self.assertEqual(listed, sorted(text_of(raw) for raw in self.NAMES))
        for name in listed:
            self.assertEqual(self.agent.delete("dir/" + name).ok, {})
        self.assertEqual(self.entries("dir"), [])

    def test_lists_a_name_as_base64_when_it_is_not_utf_8(self):
        self.put(text_of(b"caf\xe9"), "x")
        line = self.agent.list().stdout.decode("ascii")
        self.assertEqual(json.loads(line)["name_base64"], "Y2Fm6Q==")
        self.assertNotIn("name", json.loads(line))
        self.assertEqual(self.agent.call("stat", path_base64="Y2Fm6Q==").ok["type"], "file")
        self.assertEqual(self.agent.call("stat", path="caf\ufffd").code, "NOT_FOUND")

    def test_refuses_a_path_when_it_is_malformed_or_too_long(self):
        for path in ("/etc", "a//b", "a/", ".", "..", "a/../b", "../x", "a\0b", "x" * 256, "\ud83d", "a/" * 2048 + "a"):
            for answer in (self.agent.list(path), self.agent.read(path), self.agent.write(path, b"x"), self.agent.delete(path)):
                self.assertEqual(answer.code, "INVALID_PATH", path)

    def test_writes_reads_and_deletes_a_file_2000_levels_deep(self):
        path = "/".join(["d"] * 2000) + "/file"
        self.assertEqual(self.agent.write(path, b"deep").ok["created"], True)
        self.assertEqual(self.content(path)[1], b"deep")
        self.assertEqual(self.agent.delete("d").ok, {})


class ListTest(WorkspaceTestCase):
    def test_lists_entries_sorted_with_type_size_and_time(self):
        self.put("b", "12345")
        os.mkdir(self.path("a"))
        os.symlink("/etc/passwd", self.path("c"))
        os.mkfifo(self.path("d"))
        os.utime(self.path("b"), (1, 1.5))
        entries = self.entries()
        self.assertEqual([(entry["name"], entry["type"]) for entry in entries], [("a", "dir"), ("b", "file"), ("c", "symlink"), ("d", "other")])
        self.assertEqual((entries[1]["size"], entries[1]["modified"]), (5, 1.5))

    def test_gives_the_time_of_an_entry_to_the_nearest_millisecond(self):
        for name, nanoseconds in (("a", 1700000000_123499000), ("b", 1700000000_123501000), ("c", -1_500000000), ("d", 0)):
            self.put(name, "")
            os.utime(self.path(name), ns=(0, nanoseconds))
        self.assertEqual([entry["modified"] for entry in self.entries()], [1700000000.123, 1700000000.124, -1.5, 0])

    def test_lists_every_entry_when_a_directory_has_3000(self):
        os.mkdir(self.path("many"))
        names = ["%05d" % number for number in range(3000)]
        for name in names:
            self.put("many/" + name, "")
        self.assertEqual([entry["name"] for entry in self.entries("many")], names)

    def test_refuses_to_list_a_path_when_it_is_missing_or_no_directory(self):
        self.put("file", "")
        self.assertEqual(self.agent.list("file").code, "NOT_A_DIRECTORY")
        self.assertEqual(self.agent.list("missing").code, "NOT_FOUND")


class DeleteTest(WorkspaceTestCase):
    def test_deletes_files_links_and_pipes_and_not_the_targets_of_links(self):
        secret = self.secret()
        self.put("file", "")
        os.symlink(secret, self.path("link"))
        os.symlink(self.outside, self.path("directory-link"))
        os.symlink("missing", self.path("dangling"))
        os.mkfifo(self.path("fifo"))
        for name in os.listdir(self.root):
            self.assertEqual(self.agent.delete(name).ok, {}, name)
        self.assertEqual(os.listdir(self.root), [])
        self.assertTrue(os.path.exists(secret))

    def test_refuses_to_delete_a_path_when_it_is_missing_or_the_root(self):
        self.assertEqual(self.agent.delete("missing").code, "NOT_FOUND")
        self.assertEqual(self.agent.delete("").code, "INVALID_PATH")

    def test_deletes_a_tree_with_closed_directories_and_follows_no_link(self):
        secret = self.secret()
        for parent in ("t", "t/a", "t/a/b", "t/c", "t/c/d"):
            os.mkdir(self.path(parent))
            self.put(parent + "/file", "x")
            os.symlink(self.outside, self.path(parent, "link"))
        os.chmod(self.path("t/a/b"), 0)
        os.chmod(self.path("t/a"), 0)
        os.chmod(self.path("t/c"), 0o500)
        self.assertEqual(self.agent.delete("t").ok, {})
        self.assertEqual(os.listdir(self.root), [])
        self.assertTrue(os.path.exists(secret))

    def test_deletes_a_tree_of_ten_thousand_levels(self):
        directory = os.open(self.root, os.O_RDONLY)
        for _ in range(10_000):
            os.mkdir("d", dir_fd=directory)
            below = os.open("d", os.O_RDONLY, dir_fd=directory)
            os.close(directory)
            directory = below
        os.close(directory)
        self.assertEqual(self.agent.delete("d").ok, {})
        self.assertEqual(os.listdir(self.root), [])

    def test_deletes_a_tree_with_600_entries_in_one_directory(self):
        os.mkdir(self.path("t"))
        for number in range(600):
            self.put("t/%d" % number, "")
            os.makedirs(self.path("t", "dir%d" % number, "below"))
        self.assertEqual(self.agent.delete("t").ok, {})
        self.assertEqual(os.listdir(self.root), [])

    def test_deletes_a_tree_when_several_calls_delete_it_at_once(self):
        os.mkdir(self.path("t"))
        for number in range(500):
            os.makedirs(self.path("t", "dir%d" % number, "below"))
        requests = [self.agent.open(op="delete", path="t") for _ in range(4)]
        codes = [self.agent.wait(request).end.get("error", {}).get("code") for request in requests]
        self.assertLessEqual(set(codes), {None, "NOT_FOUND"})
        self.assertEqual(os.listdir(self.root), [])


class LinkTest(WorkspaceTestCase):
    def test_follows_a_link_when_it_leads_inside(self):
        os.makedirs(self.path("a", "b"))
        self.put("a/b/file", "content")
        links = {
            "relative": "a/b",
            "absolute": self.path("a", "b"),
            "a/up": "../a/b",
            "chain": "relative",
            "a/b/round": "../../a/./b//",
            "to-root": self.root,
        }
        for name, target in links.items():
            os.symlink(target, self.path(name))
        os.symlink("a/b/file", self.path("file"))
        for path in ("relative/file", "absolute/file", "a/up/file", "chain/file", "a/b/round/file", "to-root/a/b/file", "file"):
            self.assertEqual(self.content(path)[1], b"content", path)
        self.assertEqual([entry["name"] for entry in self.entries("chain")], ["file", "round"])
        self.assertEqual(len(self.entries("to-root")), len(os.listdir(self.root)))
        self.assertEqual(self.agent.write("file", b"new").ok, {"size": 3, "created": False, "etag": self.etag("a/b/file")})
        self.assertTrue(os.path.islink(self.path("file")))
        self.assertEqual(self.content("a/b/file")[1], b"new")
        self.assertEqual(self.agent.write("relative/new/file", b"x").ok["created"], True)
        self.assertTrue(os.path.exists(self.path("a", "b", "new", "file")))
        self.assertEqual(self.agent.delete("file").ok, {})
        self.assertTrue(os.path.exists(self.path("a", "b", "file")))

    def test_makes_the_target_when_a_write_follows_a_link_to_a_missing_file(self):
        os.symlink("target", self.path("link"))
        self.assertEqual(self.agent.read("link").code, "NOT_FOUND")
        self.assertEqual(self.agent.write("link", b"x").ok["created"], True)
        self.assertEqual(self.content("target")[1], b"x")

    def test_refuses_a_link_when_it_leads_outside(self):
        secret = self.secret()
        os.mkdir(self.path("dir"))
        for name, target in [
            ("absolute", self.outside),
            ("relative", "../outside"),
            ("dir/deep", "../../outside"),
            ("slash", "/"),
            ("proc", "/proc/self/root"),
            ("dots", self.root + "/../outside"),
            ("prefix", self.root + "x/../outside"),
            ("chain", "absolute"),
            ("back", "../workspace/dir"),
        ]:
            os.symlink(target, self.path(name))
            for path in (name, name + "/secret"):
                answers = [self.agent.read(path), self.agent.write(path, b"x"), self.agent.list(path)]
                if path != name:
                    answers.append(self.agent.delete(path))
                for answer in answers:
                    self.assertEqual(answer.code, "PATH_OUTSIDE_WORKSPACE", path)
        os.symlink(secret, self.path("file"))
        for answer in (self.agent.read("file"), self.agent.write("file", b"x")):
            self.assertEqual(answer.code, "PATH_OUTSIDE_WORKSPACE")
        self.assertEqual(os.listdir(self.outside), ["secret"])
        with open(secret) as file:
            self.assertEqual(file.read(), "secret")

    def test_refuses_a_path_when_its_links_form_a_loop(self):
        os.symlink("loop", self.path("loop"))
        os.symlink("b", self.path("a"))
        os.symlink("a", self.path("b"))
        for path in ("loop", "a", "b/x"):
            self.assertEqual(self.agent.read(path).code, "INVALID_PATH", path)

    def test_reads_and_writes_nothing_outside_when_a_directory_is_swapped_for_a_link(self):
        with open(os.path.join(self.outside, "file"), "w") as file:
            file.write("secret")
        os.mkdir(self.path("d"))
        self.put("d/file", "inside")
        swapping = threading.Event()
        swapping.set()
        swapper = threading.Thread(target=self.swap, args=(swapping,))
        swapper.start()
        try:
            seen = set()
            for turn in range(700):
                for answer in (self.agent.read("d/file"), self.agent.write("d/file", b"inside"), self.agent.list("d")):
                    self.assertNotIn(b"secret", answer.stdout)
                    seen.add("ok" if "ok" in answer.end else answer.code)
                if turn % 20 == 0:
                    self.agent.delete("d/other")
        finally:
            swapping.clear()
            swapper.join()
        self.assertLessEqual(seen, {"ok", "PATH_OUTSIDE_WORKSPACE", "NOT_FOUND", "NOT_A_DIRECTORY"})
        self.assertLessEqual({"ok", "PATH_OUTSIDE_WORKSPACE"}, seen)
        with open(os.path.join(self.outside, "file")) as file:
            self.assertEqual(file.read(), "secret")
        self.assertEqual(os.listdir(self.outside), ["file"])

    def test_reads_nothing_outside_when_a_file_is_swapped_for_a_link(self):
        secret = self.secret()
        self.put("file", "inside")
        going = threading.Event()
        going.set()
        swapper = threading.Thread(target=self.swap_file, args=(going, secret))
        swapper.start()
        try:
            seen = set()
            for _ in range(1000):
                answer = self.agent.read("file")
                self.assertNotIn(b"secret", answer.stdout)
                seen.add("ok" if "ok" in answer.end else answer.code)
        finally:
            going.clear()
            swapper.join()
        self.assertEqual(seen, {"ok", "PATH_OUTSIDE_WORKSPACE"})

    def swap_file(self, going, secret):
        while going.is_set():
            os.symlink(secret, self.path("new"))
            os.rename(self.path("new"), self.path("file"))
            self.put("new", "inside")
            os.rename(self.path("new"), self.path("file"))

    def swap(self, going):
        directory, spare = self.path("d"), self.path("spare")
        steps = [
            (os.rename, directory, spare),
            (os.symlink, self.outside, directory),
            (os.unlink, directory),
            (shutil.rmtree, directory),  # which a write may have made anew
            (os.rename, spare, directory),
        ]
        while going.is_set():
            for step, *names in steps:
                with contextlib.suppress(OSError):
                    step(*names)
