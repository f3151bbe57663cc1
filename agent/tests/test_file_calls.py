import contextlib
import difflib
import fcntl
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import unittest

from harness import AgentTestCase, frames, line_of, text_of

HOSTILE_NAMES = [b"it's", b"new\nline", b"-rf", b"$(id)", b"a b", b"back\\slash", b"\xff\xfe", b"*", b"[x]", "é😀".encode(), b"x" * 255]


class FileCallsTestCase(AgentTestCase):
    def lines(self, answer):
        self.assertIn("ok", answer.end)
        return [line_of(line) for line in answer.stdout.splitlines()]

    def etag(self, path):
        return self.agent.call("stat", path=path).ok["etag"]

    def content(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def put_bytes(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)

    def move(self, origin, target, overwrite=False, **settings):
        return self.agent.call("move", **{"from": origin, "to": target, "overwrite": overwrite}, **settings)

    def names(self, *directory):
        return sorted(os.listdir(self.path(*directory)))


class ListTest(FileCallsTestCase):
    def tree(self):
        for parent in ("a", "a/b", "a/b/c", "d"):
            os.mkdir(self.path(parent))
            self.put(parent + "/file", "x")
        os.symlink(self.outside, self.path("a", "link"))
        os.symlink("../d", self.path("a", "inside"))
        with open(os.path.join(self.outside, "secret"), "w"):
            pass

    def paths_of(self, **settings):
        return [(entry["name"], entry["type"]) for entry in self.lines(self.agent.list(**settings))]

    def test_lists_entries_down_to_the_requested_depth(self):
        self.tree()
        self.assertEqual(self.paths_of(depth=1), [("a", "dir"), ("d", "dir")])
        second = [("a", "dir"), ("a/b", "dir"), ("a/file", "file"), ("a/inside", "symlink"), ("a/link", "symlink"), ("d", "dir"), ("d/file", "file")]
        self.assertEqual(self.paths_of(depth=2), second)
        whole = second[:2] + [("a/b/c", "dir"), ("a/b/c/file", "file"), ("a/b/file", "file")] + second[2:]
        self.assertEqual(self.paths_of(depth=4), whole)
        self.assertEqual(self.paths_of(depth=20), whole)
        self.assertEqual(self.paths_of(path="a/b", depth=20), [("c", "dir"), ("c/file", "file"), ("file", "file")])

    def test_says_truncated_when_there_are_more_entries_than_the_limit(self):
        self.tree()
        for limit, count, truncated in [(1, 1, True), (9, 9, True), (10, 10, False), (11, 10, False), (0, 10, False)]:
            answer = self.agent.list(depth=20, limit=limit)
            self.assertEqual((len(self.lines(answer)), answer.ok), (count, {"count": count, "truncated": truncated, "skipped": 0}))

    def test_lists_names_unchanged_when_they_have_special_characters(self):
        os.mkdir(self.path("dir"))
        for raw in HOSTILE_NAMES:
            with open(os.path.join(os.fsencode(self.path("dir")), raw), "w"):
                pass
        listed = [entry["name"] for entry in self.lines(self.agent.list(depth=2))]
        self.assertEqual(listed, ["dir"] + ["dir/" + name for name in sorted(text_of(raw) for raw in HOSTILE_NAMES)])

    def test_lists_a_deep_tree_again_and_again(self):
        os.makedirs(self.path(*["d"] * 30))
        for _ in range(3):
            self.assertEqual(len(self.lines(self.agent.list(depth=20))), 20)
        self.assertEqual(len(self.lines(self.agent.list(depth=20, limit=7))), 7)

    def test_lists_a_directory_as_skipped_when_it_cannot_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root can read everything")
        self.tree()
        os.chmod(self.path("a/b"), 0)
        os.chmod(self.path("d"), 0o400)  # its names can be read, and nothing else of it
        self.addCleanup(os.chmod, self.path("d"), 0o700)
        self.addCleanup(os.chmod, self.path("a/b"), 0o700)

        def told(**settings):
            answer = self.agent.list(**settings)
            lines = self.lines(answer)
            names = [line["name"] for line in lines if "name" in line]
            self.assertEqual(answer.ok, {"count": len(names), "truncated": False, "skipped": len(lines) - len(names)})
            return names, [(line["path"], line["reason"]) for line in lines if "reason" in line]

        names = ["a", "a/b", "a/file", "a/inside", "a/link", "d"]
        self.assertEqual(told(depth=20), (names, [("a/b", "not_readable"), ("d/file", "not_readable")]))
        self.assertEqual(told(path="a", depth=20), (["b", "file", "inside", "link"], [("a/b", "not_readable")]))
        self.assertEqual(told(path="a"), (["b", "file", "inside", "link"], []))
        self.assertEqual(self.agent.list(path="a/b", depth=20).code, "PERMISSION_DENIED")

    def test_names_the_first_50_and_counts_the_rest_when_many_directories_cannot_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root can read everything")
        for number in range(60):
            os.mkdir(self.path("%02d" % number), 0)
        answer = self.agent.list(depth=2)
        listed = [line["path"] for line in self.lines(answer) if "reason" in line]
        self.assertEqual((listed, answer.ok["skipped"]), (["%02d" % number for number in range(50)], 60))


class StatTest(FileCallsTestCase):
    def test_gives_the_type_of_a_path_or_an_error_when_the_path_is_missing_or_outside(self):
        os.chmod(self.put("file", "12345"), 0o640)
        os.utime(self.path("file"), (1, 1.5))
        os.mkdir(self.path("dir"))
        os.symlink("/etc/passwd", self.path("link"))
        os.mkfifo(self.path("pipe"))
        answer = self.agent.call("stat", path="file").ok
        self.assertEqual((answer["type"], answer["size"], answer["modified"], answer["mode"]), ("file", 5, 1.5, 0o640))
        types = {name: self.agent.call("stat", path=name).ok["type"] for name in ("", "dir", "link", "pipe")}
        self.assertEqual(types, {"": "dir", "dir": "dir", "link": "symlink", "pipe": "other"})
        self.assertEqual(self.agent.call("stat", path="missing").code, "NOT_FOUND")
        self.assertEqual(self.agent.call("stat", path="file/x").code, "NOT_A_DIRECTORY")
        os.symlink(self.outside, self.path("out"))
        self.assertEqual(self.agent.call("stat", path="out/x").code, "PATH_OUTSIDE_WORKSPACE")

    def test_gives_another_etag_after_every_change(self):
        seen = [self.agent.write("file", b"one").ok["etag"]]
        seen.append(self.agent.write("file", b"two").ok["etag"])
        self.assertEqual(self.etag("file"), seen[-1])
        head = json.loads(self.agent.read("file").stdout.partition(b"\n")[0])
        self.assertEqual(head["etag"], seen[-1])
        seen.append(self.agent.edit("file", [("two", "six")]).ok["etag"])
        seen.append(self.move("file", "file2").ok["etag"])
        self.assertEqual(self.etag("file2"), seen[-1])
        os.chmod(self.path("file2"), 0o600)
        seen.append(self.etag("file2"))
        self.assertEqual(len(set(seen)), 5)


class ConditionTest(FileCallsTestCase):
    def test_changes_nothing_when_if_match_does_not_name_the_current_etag(self):
        tag = self.agent.write("file", b"one").ok["etag"]
        for tags in ([], ["other"], [tag + "0"]):
            self.assertEqual(self.agent.write("file", b"x", if_match=tags).code, "PRECONDITION_FAILED")
            self.assertEqual(self.agent.edit("file", [("one", "x")], if_match=tags).code, "PRECONDITION_FAILED")
            self.assertEqual(self.agent.delete("file", if_match=tags).code, "PRECONDITION_FAILED")
            self.assertEqual(self.move("file", "new/file", if_match=tags).code, "PRECONDITION_FAILED")
        self.assertEqual((self.names(), self.content("file")), (["file"], b"one"))
        tag = self.agent.write("file", b"two", if_match=["other", tag]).ok["etag"]
        self.assertEqual(self.agent.edit("file", [("two", "x")], if_match=["stale"]).code, "PRECONDITION_FAILED")
        tag = self.agent.edit("file", [("two", "three")], if_match=[tag]).ok["etag"]
        tag = self.move("file", "moved", if_match=[tag]).ok["etag"]
        self.assertEqual(self.agent.delete("moved", if_match="*").ok, {})

    def test_makes_nothing_when_if_match_is_sent_for_a_missing_path(self):
        for path in ("missing", "no/parents"):
            self.assertEqual(self.agent.write(path, b"x", if_match="*").code, "PRECONDITION_FAILED")
            self.assertEqual(self.agent.delete(path, if_match="*").code, "NOT_FOUND")
            self.assertEqual(self.agent.edit(path, [("a", "b")], if_match="*").code, "NOT_FOUND")
            self.assertEqual(self.move(path, "new/x", if_match="*").code, "NOT_FOUND")
        self.assertEqual(self.names(), [])

    def test_refuses_a_call_when_if_none_match_names_what_is_there(self):
        self.assertEqual(self.agent.write("a/file", b"one", if_none_match="*").ok["created"], True)
        self.assertEqual(self.agent.write("a/file", b"x", if_none_match="*").code, "PRECONDITION_FAILED")
        self.assertEqual(self.agent.write("a/file", b"x", if_none_match=[self.etag("a/file")]).code, "PRECONDITION_FAILED")
        self.assertEqual(self.agent.write("a/file", b"two", if_none_match=["other"]).ok["created"], False)
        self.assertEqual(self.agent.delete("a/file", if_none_match="*").code, "PRECONDITION_FAILED")
        self.put("other", "x")
        self.assertEqual(self.move("a/file", "other", True, if_none_match="*").code, "PRECONDITION_FAILED")
        self.assertIn("etag", self.move("a/file", "free", True, if_none_match="*").ok)
        self.assertEqual(self.content("free"), b"two")

    def test_deletes_a_directory_only_when_if_match_names_its_etag(self):
        os.mkdir(self.path("dir"))
        self.put("dir/file", "x")
        self.assertEqual(self.agent.delete("dir", if_match=["other"]).code, "PRECONDITION_FAILED")
        self.assertEqual(self.agent.delete("dir", if_match=[self.etag("dir")]).ok, {})

    def test_lets_one_write_win_when_two_agents_write_on_the_same_etag(self):
        other = self.open_agent()
        for turn in range(100):
            tag = self.agent.write("file", b"old").ok["etag"]
            requests = []
            for agent in (self.agent, other):
                request = agent.open(op="write", path="file", max_size=0, if_match=[tag])
                agent.send(frames.DATA, request, b"%d" % len(requests))
                requests.append((agent, request))
            for agent, request in requests:
                agent.send(frames.EOF, request)
            answers = [agent.wait(request) for agent, request in requests]
            won = [index for index, answer in enumerate(answers) if "ok" in answer.end]
            self.assertEqual(len(won), 1)
            self.assertEqual(answers[1 - won[0]].code, "PRECONDITION_FAILED")
            self.assertEqual(self.content("file"), b"%d" % won[0])

    def test_answers_workspace_locked_when_a_command_holds_the_lock(self):
        self.put("file", "x")
        fd = os.open(self.base, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        waiting = self.agent.open(op="delete", path="file")
        cancelled = self.agent.open(op="delete", path="file")
        self.agent.cancel(cancelled)
        self.assertEqual(self.agent.wait(cancelled).code, "CLIENT_CLOSED_REQUEST")
        self.assertEqual(self.agent.wait(waiting).code, "WORKSPACE_LOCKED")
        os.close(fd)
        self.assertEqual(self.agent.delete("file").ok, {})


class MoveTest(FileCallsTestCase):
    def test_moves_files_directories_and_links_and_makes_the_parents_of_the_target(self):
        self.put("file", "content")
        os.mkdir(self.path("dir"))
        self.put("dir/inner", "inner")
        os.symlink("/etc/passwd", self.path("link"))
        for name in ("file", "dir", "link"):
            self.assertEqual(self.move(name, "new/place/" + name).ok, {"etag": self.etag("new/place/" + name)})
        self.assertEqual(self.names(), ["new"])
        self.assertEqual(self.content("new/place/dir/inner"), b"inner")
        self.assertEqual(os.readlink(self.path("new/place/link")), "/etc/passwd")

    def test_replaces_what_is_at_the_target_only_when_overwrite_is_set_and_the_types_fit(self):
        self.put("file", "file")
        self.put("other", "other")
        os.mkdir(self.path("full"))
        self.put("full/x", "x")
        os.mkdir(self.path("empty"))
        secret = os.path.join(self.outside, "secret")
        with open(secret, "w") as file:
            file.write("secret")
        os.symlink(secret, self.path("link"))
        for target in ("other", "full", "empty", "link", "file"):
            self.assertEqual(self.move("file", target).code, "ALREADY_EXISTS", target)
        self.assertEqual(self.move("file", "full", True).code, "IS_A_DIRECTORY")
        self.assertEqual(self.move("empty", "other", True).code, "NOT_A_DIRECTORY")
        self.assertEqual(self.move("empty", "full", True).code, "ALREADY_EXISTS")
        self.assertIn("etag", self.move("full", "empty", True).ok)
        self.assertIn("etag", self.move("file", "file", True).ok)
        self.assertIn("etag", self.move("file", "other", True).ok)
        self.assertEqual(self.content("other"), b"file")
        self.assertIn("etag", self.move("other", "link", True).ok)
        self.assertFalse(os.path.islink(self.path("link")))
        with open(secret) as file:
            self.assertEqual(file.read(), "secret")

    def test_removes_the_old_name_when_both_names_are_of_one_file(self):
        self.put("a", "x")
        os.link(self.path("a"), self.path("b"))
        self.assertEqual(self.move("a", "b").code, "ALREADY_EXISTS")
        self.assertIn("etag", self.move("a", "b", True).ok)
        self.assertEqual(self.names(), ["b"])

    def test_refuses_a_move_when_the_target_is_inside_the_source_or_the_root(self):
        os.makedirs(self.path("dir", "below"))
        os.symlink("dir/below", self.path("link"))
        for target in ("dir/x", "dir/below/x/y", "link/x"):
            self.assertEqual(self.move("dir", target).code, "INVALID_PATH", target)
        self.assertEqual(self.move("dir", "").code, "INVALID_PATH")
        self.assertEqual(self.move("", "x").code, "INVALID_PATH")
        self.assertEqual(self.move("dir", "dir2").ok, {"etag": self.etag("dir2")})

    def test_refuses_a_move_when_a_link_leads_outside(self):
        self.put("file", "x")
        os.symlink(self.outside, self.path("out"))
        with open(os.path.join(self.outside, "secret"), "w"):
            pass
        self.assertEqual(self.move("file", "out/file").code, "PATH_OUTSIDE_WORKSPACE")
        self.assertEqual(self.move("out/secret", "stolen").code, "PATH_OUTSIDE_WORKSPACE")
        self.assertEqual(os.listdir(self.outside), ["secret"])

    def test_makes_no_parents_when_the_source_is_missing(self):
        self.assertEqual(self.move("missing", "new/x").code, "NOT_FOUND")
        self.assertEqual(self.names(), [])

    def test_moves_a_file_when_its_name_has_special_characters(self):
        self.put("file", "x")
        before = "file"
        for name in (text_of(raw) for raw in HOSTILE_NAMES):
            self.assertIn("ok", self.move(before, name).end)
            before = name
        self.assertEqual(os.listdir(os.fsencode(self.root)), [HOSTILE_NAMES[-1]])

    def test_lets_one_move_win_when_several_have_the_same_target(self):
        agents = [self.agent, self.open_agent(), self.open_agent()]
        for turn in range(50):
            for index in range(3):
                self.put("from%d" % index, "%d" % index)
            requests = [agent.open(op="move", **{"from": "from%d" % index, "to": "to%d" % turn, "overwrite": False}) for index, agent in enumerate(agents)]
            codes = [agent.wait(request).end.get("error", {}).get("code") for agent, request in zip(agents, requests)]
            self.assertEqual(sorted(codes, key=str), ["ALREADY_EXISTS", "ALREADY_EXISTS", None])
            self.assertEqual(self.content("to%d" % turn), b"%d" % codes.index(None))


class MakeDirectoryTest(FileCallsTestCase):
    def make(self, path):
        return self.agent.call("mkdir", path=path)

    def test_makes_a_directory_or_says_that_it_exists_and_refuses_files_and_outside_paths(self):
        self.assertEqual(self.make("a/b/c").ok, {"created": True})
        self.assertEqual(stat.S_IMODE(os.stat(self.path("a", "b", "c")).st_mode), 0o755)
        self.assertEqual(self.make("a/b/c").ok, {"created": False})
        self.assertEqual(self.make("").ok, {"created": False})
        self.put("file", "x")
        self.assertEqual(self.make("file").code, "ALREADY_EXISTS")
        self.assertEqual(self.make("file/x").code, "NOT_A_DIRECTORY")
        os.symlink("a", self.path("inside"))
        self.assertEqual(self.make("inside").ok, {"created": False})
        os.symlink(self.outside, self.path("out"))
        self.assertEqual(self.make("out").code, "PATH_OUTSIDE_WORKSPACE")
        self.assertEqual(self.make("out/x").code, "PATH_OUTSIDE_WORKSPACE")
        self.assertEqual(os.listdir(self.outside), [])


class LinesTest(FileCallsTestCase):
    def read(self, first, last, path="file"):
        answer = self.agent.read(path, lines=[first, last])
        return answer.stdout.partition(b"\n")[2] if "ok" in answer.end else answer.code

    def test_gives_the_requested_lines_or_an_error_when_the_file_has_fewer(self):
        for end in ("", "\n"):
            self.put("file", "one\ntwo\n\nfour" + end)
            whole = b"one\ntwo\n\nfour" + end.encode()
            for first, last, expected in [(1, 1, b"one\n"), (2, 3, b"two\n\n"), (3, 3, b"\n"), (4, 4, b"four" + end.encode()), (1, None, whole), (1, 99, whole), (4, 99, b"four" + end.encode())]:
                self.assertEqual(self.read(first, last), expected, (first, last))
            self.assertEqual(self.read(5, 5), "RANGE_NOT_SATISFIABLE")
            self.assertEqual(self.read(50, None), "RANGE_NOT_SATISFIABLE")

    def test_gives_an_empty_answer_when_the_file_is_empty(self):
        self.put("file", "")
        self.assertEqual(self.read(1, None), b"")
        self.assertEqual(self.read(2, None), "RANGE_NOT_SATISFIABLE")

    def test_gives_the_right_lines_when_the_file_is_larger_than_a_chunk(self):
        lines = ["%d %s\n" % (number, "x" * (number % 700)) for number in range(3000)]
        self.put("file", "".join(lines))
        for first, last in [(1, 3000), (733, 2222), (3000, 3000), (751, 751)]:
            self.assertEqual(self.read(first, last).decode(), "".join(lines[first - 1 : last]))

    def test_gives_the_right_line_when_a_line_end_is_near_the_end_of_a_chunk(self):
        for length in range(262143 - 3, 262143 + 4):
            first = b"x" * length + b"\n"
            with open(self.path("file"), "wb") as file:
                file.write(first + b"two\nthree\n")
            self.assertEqual(self.read(2, 2), b"two\n", length)
            self.assertEqual(self.read(1, 1), first, length)

    def test_limits_the_size_of_the_lines_and_not_of_the_file(self):
        self.put("file", "x" * 3_000_000 + "\nsecond\nthird\n")
        with open(self.path("file"), "r+b") as file:
            file.truncate(1 << 40)  # of zeros, which nobody reads to their end
        for first, last in [(1, 1), (1, None), (2, None), (3, 4)]:
            answer = self.agent.read("file", lines=[first, last], max_length=100)
            self.assertEqual(answer.end["error"], {"code": "FILE_TOO_LARGE", "detail": "These lines have more than 100 bytes: ask for fewer."})
        self.assertEqual(self.agent.read("file", lines=[2, 3], max_length=13).stdout.partition(b"\n")[2], b"second\nthird\n")
        self.assertEqual(self.agent.read("file", lines=[2, 3], max_length=12).code, "FILE_TOO_LARGE")

    def test_stops_reading_when_the_call_is_cancelled_in_a_very_large_file(self):
        self.put("file", "one\n")
        os.truncate(self.path("file"), 1 << 40)
        request = self.agent.open(op="read", path="file", offset=0, length=None, max_length=0, lines=[3, 3])
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")

    def test_gives_the_right_lines_when_the_file_is_utf_16(self):
        lines = ["one\n", "\u0a00\u000a", "\n", "\u0d0a\u0a0d\U0001f600 four"]
        for encoding, mark in [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]:
            with open(self.path("file"), "wb") as file:
                file.write(mark + "".join(lines).encode(encoding))
            self.assertEqual(self.read(1, 1), mark + lines[0].encode(encoding))
            for number in (2, 3, 4):
                self.assertEqual(self.read(number, number).decode(encoding), lines[number - 1])
            self.assertEqual(self.read(2, 4).decode(encoding), "".join(lines[1:]))
            self.assertEqual(self.read(5, 5), "RANGE_NOT_SATISFIABLE")


class EditTest(FileCallsTestCase):
    def test_applies_edits_one_after_the_other_and_answers_with_the_diff(self):
        os.chmod(self.put("file", "one two three\n"), 0o751)
        answer = self.agent.edit("file", [("two", "2"), ("2 three", "2, 3"), ("e", "E", True)])
        self.assertEqual(self.content("file"), b"onE 2, 3\n")
        self.assertEqual(answer.stdout, b"--- a/file\n+++ b/file\n@@ -1 +1 @@\n-one two three\n+onE 2, 3\n")
        self.assertEqual(answer.ok, {"etag": self.etag("file"), "truncated": False})
        self.assertEqual(stat.S_IMODE(os.stat(self.path("file")).st_mode), 0o751)
        self.assertEqual(self.names(), ["file"])

    def test_changes_nothing_when_one_edit_does_not_match_exactly_once(self):
        self.put("file", "a b a aaa")
        for edits, text in [
            ([("b", "c"), ("missing", "x")], "edits[1]: `old` matches 0 times"),
            ([("a ", "x")], "edits[0]: `old` matches 2 times"),
            ([("aa", "x")], "edits[0]: `old` matches 2 times"),  # which overlap
            ([("b", "c"), ("missing", "x", True)], "edits[1]: `old` matches 0 times"),
        ]:
            answer = self.agent.edit("file", edits)
            self.assertEqual(answer.code, "EDIT_NOT_APPLICABLE")
            self.assertIn(text, answer.end["error"]["detail"])
            self.assertEqual((self.names(), self.content("file")), (["file"], b"a b a aaa"))

    def test_keeps_line_ends_and_unicode_when_only_a_word_is_changed(self):
        self.put_bytes("file", "\ufeffé\r\nzwei\rdrei\u2028vier".encode())
        self.assertIn("ok", self.agent.edit("file", [("zwei", "deux 😀")]).end)
        self.assertEqual(self.content("file"), "\ufeffé\r\ndeux 😀\rdrei\u2028vier".encode())

    def test_refuses_an_edit_when_the_path_is_no_text_file_inside_the_workspace(self):
        self.put_bytes("binary", b"a\xff")
        os.mkdir(self.path("dir"))
        os.mkfifo(self.path("pipe"))
        os.symlink("/etc/passwd", self.path("link"))
        for name, code in [("binary", "EDIT_NOT_APPLICABLE"), ("dir", "IS_A_DIRECTORY"), ("pipe", "NOT_A_REGULAR_FILE"), ("link", "PATH_OUTSIDE_WORKSPACE"), ("missing", "NOT_FOUND")]:
            self.assertEqual(self.agent.edit(name, [("a", "b")]).code, code, name)

    def test_edits_the_target_when_the_path_is_a_link_inside(self):
        self.put("file", "old")
        os.symlink("file", self.path("link"))
        self.assertIn("ok", self.agent.edit("link", [("old", "new")]).end)
        self.assertEqual((os.readlink(self.path("link")), self.content("file")), ("file", b"new"))

    def test_refuses_an_edit_when_the_file_is_larger_than_the_limit_before_or_after(self):
        self.put("file", "x" * 9 + "y")
        self.assertEqual(self.agent.edit("file", [("y", "z")], max_size=9).code, "FILE_TOO_LARGE")
        self.assertEqual(self.agent.edit("file", [("y", "zz")], max_size=10).code, "FILE_TOO_LARGE")
        self.assertIn("ok", self.agent.edit("file", [("y", "z")], max_size=10).end)
        self.assertIn("ok", self.agent.edit("file", [("z", "zz")], max_size=11).end)

    def test_refuses_an_edit_when_its_result_would_not_fit_in_memory(self):
        self.put("file", "x" * 1_000_000)
        for limit in (1 << 20, 0):
            self.assertEqual(self.agent.edit("file", [("x", "y" * 1_000_000, True)], max_size=limit).code, "FILE_TOO_LARGE")

    def test_applies_every_edit_when_many_come_at_once(self):
        agents = [self.agent, self.open_agent(), self.open_agent()]
        self.put("file", "".join("<%d>\n" % number for number in range(60)))
        requests = [(agents[number % 3], agents[number % 3].start_edit("file", [("<%d>" % number, "<%d done>" % number)])) for number in range(60)]
        for agent, request in requests:
            self.assertIn("ok", agent.wait(request).end)
        self.assertEqual(self.content("file").decode(), "".join("<%d done>\n" % number for number in range(60)))
        self.assertEqual(self.names(), ["file"])

    def test_leaves_the_old_file_when_the_call_is_cancelled(self):
        self.put("file", "old")
        request = self.agent.open(op="edit", path="file", max_size=0)
        self.agent.send(frames.DATA, request, b"[")
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")
        self.assertEqual((self.names(), self.content("file")), (["file"], b"old"))

    def test_cuts_the_diff_at_a_line_when_it_is_longer_than_a_megabyte(self):
        self.put("file", "x\n" * 400_000)
        answer = self.agent.edit("file", [("x", "y", True)])
        self.assertEqual(answer.ok["truncated"], True)
        self.assertLessEqual(len(answer.stdout), 1 << 20)
        self.assertTrue(answer.stdout.endswith(b"\n"))
        self.assertEqual(self.content("file"), b"y\n" * 400_000)


class DiffTest(unittest.TestCase):
    def diff(self, old, new, path=b"f"):
        from files.editing import diffs

        return b"".join(diffs.unified(old, new, path))

    def test_writes_the_same_diff_as_the_standard_library(self):
        base = ["line %d\n" % number for number in range(60)]
        for change in ([(5, "new\n")], [(0, "first\n")], [(59, "last")], [(3, "a\n"), (9, "b\n"), (30, "c\n")], [(3, ""), (40, "x\ny\nz\n")]):
            new = list(base)
            for index, text in change:
                new[index] = text
            b = "".join(new).splitlines(keepends=True)
            expected = "".join(difflib.unified_diff(base, b, "a/f", "b/f")).replace("+last", "+last\n\\ No newline at end of file\n")
            self.assertEqual(self.diff("".join(base).encode(), "".join(new).encode()).decode(), expected)

    def test_writes_a_diff_that_makes_the_new_file_of_the_old_one(self):
        generator = random.Random(1)
        for _ in range(150):
            old = b"".join(generator.choice([b"a", b"b", b"c", b"%d" % generator.randrange(40), b""]) + b"\n" for _ in range(generator.randrange(60)))
            new = old
            for _ in range(generator.randrange(1, 6)):
                at = generator.randrange(len(new) + 1)
                new = new[:at] + generator.choice([b"", b"x\n", b"\n\n", b"yy"]) + new[at + generator.randrange(12) :]
            self.assertEqual(self.patched(old, self.diff(old, new)), new)

    def patched(self, old, diff):
        """Applies a diff as the format has it, minding all that it says."""
        lines = [line + b"\n" for line in old.split(b"\n")]
        lines[-1] = lines[-1][:-1]
        lines = lines if lines[-1] else lines[:-1]
        result, at = [], 0
        pieces = diff.replace(b"\n\\ No newline at end of file\n", b"\0").replace(b"\n", b"\n\0").split(b"\0")
        for piece in pieces[2:-1]:
            mark, text = piece[:1], piece[1:]
            if mark == b"@":
                first, _, count = piece.split()[1][1:].partition(b",")
                start = int(first) - (count != b"0")
                result += lines[at:start]
                at = start
                continue
            if mark in b" -":
                self.assertEqual(lines[at], text)
                at += 1
            if mark in b" +":
                result.append(text)
        return b"".join(result + lines[at:])

    def test_writes_no_diff_when_nothing_changed_and_quotes_a_name_with_special_characters(self):
        self.assertEqual(self.diff(b"a", b"a"), b"")
        self.assertTrue(self.diff(b"", b"a\n", "é b".encode()).startswith("--- a/é b\n+++ b/é b\n@@ -0,0 +1 @@\n+a\n".encode()))
        self.assertTrue(self.diff(b"", b"a\n", b'new\nline"\xff').startswith(b'--- "a/new\\012line\\"\\377"\n'))


class SwappedLinkTest(FileCallsTestCase):
    """A directory that becomes a link to the outside, and a directory again, while calls go through it."""

    def test_follows_no_link_outside_when_a_directory_is_swapped_for_a_link(self):
        with open(os.path.join(self.outside, "file"), "w") as file:
            file.write("secret")
        os.mkdir(os.path.join(self.outside, "deep"))
        with open(os.path.join(self.outside, "hidden"), "w"):
            pass
        os.mkdir(self.path("d"))
        os.mkdir(self.path("d", "deep"))
        self.put("d/file", "inside")
        going = threading.Event()
        going.set()
        swapper = threading.Thread(target=self.swap, args=(going,))
        swapper.start()
        seen = set()
        try:
            for turn in range(400):
                self.put("mine", "inside")
                answers = [
                    self.agent.list(depth=20),
                    self.agent.call("stat", path="d/file"),
                    self.agent.edit("d/file", [("inside", "inside")]),
                    self.move("mine", "d/mine", True),
                    self.move("d/mine", "mine", True),
                    self.agent.call("mkdir", path="d/made/%d" % (turn % 3)),
                    self.agent.call("pack", path="", max_size=1 << 20, max_entries=1000),
                ]
                if turn % 20 == 0:
                    answers.append(self.agent.search(pattern="secret|inside"))
                for answer in answers:
                    self.assertNotIn(b"secret", answer.stdout)
                    self.assertNotIn(b"hidden", answer.stdout)
                    seen.add("ok" if "ok" in answer.end else answer.code)
        finally:
            going.clear()
            swapper.join()
        self.assertLessEqual(seen, {"ok", "PATH_OUTSIDE_WORKSPACE", "NOT_FOUND", "NOT_A_DIRECTORY", "ALREADY_EXISTS"})
        self.assertLessEqual({"ok", "PATH_OUTSIDE_WORKSPACE"}, seen)
        self.assertEqual(sorted(os.listdir(self.outside)), ["deep", "file", "hidden"])
        self.assertEqual(os.listdir(os.path.join(self.outside, "deep")), [])
        with open(os.path.join(self.outside, "file")) as file:
            self.assertEqual(file.read(), "secret")

    def swap(self, going):
        directory, spare = self.path("d"), self.path("spare")
        while going.is_set():
            for step, *names in [(os.rename, directory, spare), (os.symlink, self.outside, directory), (os.unlink, directory), (shutil.rmtree, directory), (os.rename, spare, directory)]:
                with contextlib.suppress(OSError):
                    step(*names)


class FullDiskTest(FileCallsTestCase):
    def test_still_moves_and_deletes_when_the_disk_is_full(self):
        if os.geteuid() != 0:
            self.skipTest("only root mounts a small file system")
        os.mkdir(self.path("small"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.path("small")], check=True)
        self.addCleanup(subprocess.run, ["umount", self.path("small")])
        self.put("small/file", "old")
        self.put("small/filler", "x" * 1000 * 1000)
        self.assertEqual(self.agent.edit("small/file", [("old", "x" * 500_000)]).code, "STORAGE_FULL")
        self.assertEqual((self.names("small"), self.content("small/file")), (["file", "filler"], b"old"))
        self.assertIn("ok", self.move("small/file", "small/moved").end)
        self.assertEqual(self.agent.delete("small/filler", if_match=[self.etag("small/filler")]).ok, {})
        self.assertIn("ok", self.agent.edit("small/moved", [("old", "x" * 500_000)]).end)


class NoRenameat2Test(FileCallsTestCase):
    """Without the system call, what is moved still replaces nothing."""

    def test_moves_files_directories_and_links_when_the_kernel_lacks_renameat2(self):
        script = "\n".join(
            [
                "import sys; sys.path.insert(0, %r)" % os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                "from files import paths; paths.ROOT = %r" % os.fsencode(self.root),
                "import errno; from files import moving; moving._rename_no_replace = lambda source, goal: errno.ENOSYS",
                "class Channel: receive = lambda self: []",
                "for name in ('file', 'dir', 'link'): moving.move_path(Channel(), {'from': name, 'to': 'new/' + name, 'overwrite': False})",
            ]
        )
        self.put("file", "x")
        os.mkdir(self.path("dir"))
        os.symlink("file", self.path("link"))
        subprocess.run([sys.executable, "-c", script], check=True)
        self.assertEqual((self.names(), self.names("new")), (["new"], ["dir", "file", "link"]))
        self.assertEqual(os.readlink(self.path("new", "link")), "file")
