import os
import socket

import harness
from test_file_calls import HOSTILE_NAMES, FileCallsTestCase, text_of


class SearchTest(FileCallsTestCase):
    def tree(self):
        for parent in ("src", "src/deep", "docs"):
            os.mkdir(self.path(parent))
        self.put("src/main.py", "import os\nprint('hello')\n")
        self.put("src/deep/util.py", "def hello():\n    pass\r\n")
        self.put("docs/read.me", "Hello\n\nhello again")
        self.put("top.py", "")

    def found(self, **settings):
        lines = self.lines(self.agent.search(**settings))
        return [tuple(match.values()) for match in lines if "reason" not in match]

    def skipped(self, **settings):
        """{path: reason} of what the answer lists; also that it counts them all."""
        answer = self.agent.search(**settings)
        listed = [(line["path"], line["reason"]) for line in self.lines(answer) if "reason" in line]
        self.assertEqual((answer.ok["skipped"], answer.ok["truncated"]), (len(listed), False))
        return dict(listed)

    def paths_of(self, **settings):
        return [path for path, in self.found(**settings)]

    def test_finds_the_lines_that_match_the_pattern(self):
        self.tree()
        self.assertEqual(
            self.found(pattern="hel+o"),
            [("docs/read.me", 3, "hello again"), ("src/deep/util.py", 1, "def hello():"), ("src/main.py", 2, "print('hello')")],
        )
        self.assertEqual(self.found(pattern="(?i)^HELLO$"), [("docs/read.me", 1, "Hello")])
        self.assertEqual(self.found(pattern="pass$"), [("src/deep/util.py", 2, "    pass")])
        self.assertEqual(self.found(path="src", glob="*.py", pattern="hello"), [("src/deep/util.py", 1, "def hello():"), ("src/main.py", 2, "print('hello')")])
        self.assertEqual(self.found(pattern="^$"), [("docs/read.me", 2, "")])
        self.assertEqual(self.found(pattern="nowhere"), [])

    def test_finds_the_files_whose_names_match_the_glob(self):
        self.tree()
        everything = ["docs/read.me", "src/deep/util.py", "src/main.py", "top.py"]
        for glob, expected in [
            (None, everything),
            ("**", everything),
            ("**/*", everything),
            ("*", everything),
            ("**/*.py", everything[1:]),
            ("*.py", everything[1:]),
            ("src/*.py", ["src/main.py"]),
            ("src/**", everything[1:3]),
            ("src/**/*.py", everything[1:3]),
            ("**/deep/*", ["src/deep/util.py"]),
            ("*.{me,py}", everything),
            ("{docs,src}/*", ["docs/read.me", "src/main.py"]),
            ("[d-m]*.py", ["src/main.py"]),
            ("[!m]*.py", ["src/deep/util.py", "top.py"]),
            ("???.py", ["top.py"]),
            ("src?main.py", []),
            ("src[/]main.py", []),
            ("*.p", []),
        ]:
            self.assertEqual(self.paths_of(glob=glob), expected, glob)
        self.assertEqual(self.paths_of(path="src", glob="deep/*"), ["src/deep/util.py"])

    def test_finds_files_when_their_names_have_special_characters(self):
        for raw in HOSTILE_NAMES:
            with open(os.path.join(os.fsencode(self.root), raw), "wb") as file:
                file.write(b"needle " + raw[:9].replace(b"\n", b" "))
        self.assertEqual(self.paths_of(), sorted(text_of(raw) for raw in HOSTILE_NAMES))
        self.assertEqual(len(self.found(pattern="^needle")), len(HOSTILE_NAMES))
        self.assertEqual(self.paths_of(glob="\\*"), ["*"])
        self.assertEqual(self.paths_of(glob="[[]x]"), ["[x]"])

    def test_says_truncated_when_there_are_more_matches_than_the_limit(self):
        self.tree()
        for limit, count, truncated in [(1, 1, True), (2, 2, True), (3, 3, False), (4, 3, False)]:
            answer = self.agent.search(pattern="hello", limit=limit)
            self.assertEqual((len(self.lines(answer)), answer.ok), (count, {"truncated": truncated, "skipped": 0}))
        self.assertEqual(self.agent.search(limit=3).ok, {"truncated": True, "skipped": 0})
        self.assertEqual(self.agent.search(limit=4).ok, {"truncated": False, "skipped": 0})

    def test_searches_no_links_pipes_sockets_or_binary_files(self):
        secret = os.path.join(self.outside, "secret")
        with open(secret, "w") as file:
            file.write("needle")
        os.symlink(secret, self.path("link"))
        os.symlink(self.outside, self.path("directory"))
        os.mkfifo(self.path("pipe"))
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self.path("socket"))
        self.put_bytes("binary", b"needle\0needle")
        self.put("text", "needle")
        self.assertEqual(self.found(pattern="needle"), [("text", 1, "needle")])
        self.assertEqual(self.agent.search("directory").code, "PATH_OUTSIDE_WORKSPACE")
        self.assertEqual(self.skipped(pattern="needle"), {"binary": "binary", "directory": "link", "link": "link"})
        self.assertEqual(self.agent.search("pipe").code, "NOT_A_REGULAR_FILE")
        self.assertEqual(self.agent.search("missing").code, "NOT_FOUND")

    def test_searches_one_file_when_the_path_is_a_file(self):
        self.tree()
        self.assertEqual(self.found(path="docs/read.me", pattern="hello"), [("docs/read.me", 3, "hello again")])
        self.assertEqual(self.found(path="docs/read.me", pattern="hello", glob="*.py"), [("docs/read.me", 3, "hello again")])
        self.assertEqual(self.paths_of(path="docs/read.me"), ["docs/read.me"])
        os.symlink("docs/read.me", self.path("link"))
        self.assertEqual(self.found(path="link", pattern="hello"), [("link", 3, "hello again")])
        self.put_bytes("binary", b"\0hello")
        self.assertEqual(self.skipped(path="binary", pattern="hello"), {"binary": "binary"})
        self.assertEqual(self.skipped(path="binary", pattern="nowhere"), {})

    def test_compares_the_glob_with_the_name_the_path_below_or_the_whole_path_as_requested(self):
        self.tree()
        os.mkdir(self.path("src/src"))
        self.put("src/src/main.py", "")
        for path, glob, of, expected in [
            ("src", "main.py", "name", ["src/main.py", "src/src/main.py"]),
            ("src", "main.py", "below", ["src/main.py"]),
            ("src", "src/main.py", "below", ["src/main.py", "src/src/main.py"]),
            ("src", "src/main.py", "root", ["src/main.py"]),
            ("src", "main.py", "root", []),
            ("", "top.py", "root", ["top.py"]),
            ("", "main.py", "below", []),
        ]:
            self.assertEqual(self.paths_of(path=path, glob=glob, glob_of=of), expected, (path, glob, of))

    def test_cuts_long_lines_and_replaces_bytes_that_are_no_text(self):
        self.put_bytes("file", b"needle" + b"x" * 200_000 + b"far\nsecond \xff needle\n")
        self.assertEqual(self.found(pattern="needle"), [("file", 1, "needle" + "x" * 494), ("file", 2, "second \ufffd needle")])
        self.assertEqual(self.found(pattern="far"), [("file", 1, "needle" + "x" * 494)])
        self.assertEqual(self.skipped(pattern="nowhere"), {})

    def test_lists_a_file_as_skipped_when_a_line_is_longer_than_a_megabyte(self):
        most = 1 << 20
        # What is cut off begins within a character.
        self.put_bytes("long", b"x" * (most - 1) + "\u00e9 far".encode() + b"\nlast\n")
        self.put_bytes("just", b"x" * (most - 4) + b"last\r\nnext")
        self.put_bytes("wide", ("\ufeff" + "x" * most + "\nlast").encode("utf-16-le"))
        for pattern in ("far|\u00c3|\ufffd", "nowhere"):
            self.assertEqual(self.skipped(pattern=pattern), {"long": "line_too_long", "wide": "line_too_long"})
            self.assertEqual(self.found(pattern=pattern), [])
        self.assertEqual([match[:2] for match in self.found(pattern="last")], [("just", 1), ("long", 2), ("wide", 2)])
        self.assertEqual(self.found(pattern="next"), [("just", 2, "next")])

    def test_searches_a_large_file_to_its_end(self):
        with open(self.path("large"), "wb") as file:
            file.write(b"first\n" + b"x\n" * (6 << 20) + b"last\n")
        self.assertEqual([line for *_, line in self.found(pattern="first|last", timeout_ms=60000)], ["first", "last"])

    def test_lists_a_binary_file_as_skipped_only_when_a_match_could_be_in_it(self):
        self.put_bytes("found", b"\0\nneedle")
        self.put_bytes("other", b"\0\nnothing")
        self.put_bytes("large", b"\0" * (9 << 20))
        self.put_bytes("line", b"\0" + b"x" * (2 << 20))
        self.assertEqual(self.skipped(pattern="needle"), {"found": "binary", "large": "binary", "line": "binary"})
        self.assertEqual(self.skipped(glob="*e*"), {})

    def test_finds_text_when_the_file_has_another_encoding(self):
        text = "first\r\ncaf\u00e9 \u20ac\r\n"
        for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"):
            self.put_bytes(name, text.encode(name))
        self.put_bytes("utf-16-be-mark", ("\ufeff" + text).encode("utf-16-be"))
        names = sorted(os.listdir(self.root))
        self.assertEqual(self.found(pattern="^caf\u00e9 \u20ac$"), [(name, 2, "caf\u00e9 \u20ac") for name in names])
        self.assertEqual(self.found(pattern="^first$"), [(name, 1, "first") for name in names])

    def test_lists_files_and_directories_as_skipped_when_they_cannot_be_read(self):
        if os.geteuid() == 0:
            self.give_up_root()
        for directory in ("closed", "listed"):
            os.mkdir(self.path(directory))
            self.put(directory + "/file", "needle")
        self.put("file", "needle")
        self.put("open", "needle")
        for name, mode in [("closed", 0), ("listed", 0o444), ("file", 0)]:
            os.chmod(self.path(name), mode)
            self.addCleanup(os.chmod, self.path(name), 0o700)
        self.assertEqual(self.skipped(pattern="needle"), {"closed": "not_readable", "file": "not_readable", "listed/file": "not_readable"})
        self.assertEqual(self.skipped(), {"closed": "not_readable", "listed/file": "not_readable"})
        self.assertEqual(self.agent.search("file", pattern="needle").code, "PERMISSION_DENIED")
        self.assertEqual(self.agent.search("closed", pattern="needle").code, "PERMISSION_DENIED")

    def test_lists_a_directory_as_skipped_when_it_is_too_deep(self):
        os.makedirs(self.path(*["d"] * 101))
        self.put("/".join(["d"] * 99) + "/in", "needle")
        self.put("/".join(["d"] * 101) + "/out", "needle")
        self.assertEqual([path for path, *_ in self.found(pattern="needle")], ["/".join(["d"] * 99) + "/in"])
        self.assertEqual(self.skipped(pattern="needle"), {"/".join(["d"] * 100): "too_deep"})

    def test_lists_a_skipped_directory_only_when_the_glob_could_match_below_it(self):
        self.tree()
        if os.geteuid() == 0:
            self.give_up_root()
        os.makedirs(self.path("src/closed/deep"))
        os.makedirs(self.path("other/closed"))
        os.symlink("/usr", self.path("other/link"))
        os.symlink("/usr", self.path("src/link"))
        for name in ("src/closed", "other/closed"):
            os.chmod(self.path(name), 0)
            self.addCleanup(os.chmod, self.path(name), 0o700)
        src = {"src/closed": "not_readable", "src/link": "link"}
        other = {"other/closed": "not_readable", "other/link": "link"}
        for path, glob, of, expected in [
            ("", "src/**", "below", src),
            ("", "src/*/x", "below", src),
            ("", "src/closed/deep/*", "root", {"src/closed": "not_readable"}),
            ("", "src/*", "below", {}),
            ("", "*.py", "root", {}),
            ("", "*.py", "name", dict(src, **other)),
            ("", "{src,other}/**", "below", dict(src, **other)),
            ("", "**/deep/x", "below", dict(src, **other)),
            ("", "o*r/**", "below", dict(src, **other)),
            ("", "o*r/*", "below", {}),
            ("src", "src/**", "below", src),
            ("src", "closed/**", "below", {"src/closed": "not_readable"}),
            ("src", "src/**", "root", src),
            ("src", "closed/**", "root", {}),
        ]:
            self.assertEqual(self.skipped(path=path, glob=glob, glob_of=of), expected, (path, glob, of))

    def test_lists_a_link_as_skipped_only_when_files_behind_it_are_not_searched_otherwise(self):
        self.tree()
        for name, target in [
            ("inside", "src"),
            ("inside.py", "src/main.py"),
            ("nowhere", "absent"),
            ("loop", "loop"),
            ("root", "."),
            ("src/out.py", "../top.py"),
            ("src/out", "../docs"),
            ("src/up", ".."),
            ("device", "/dev/null"),
        ]:
            os.symlink(target, self.path(name))
        self.assertEqual(self.skipped(pattern="hello"), {})
        self.assertEqual(self.skipped(path="src"), {"src/out": "link", "src/out.py": "link", "src/up": "link"})
        self.assertEqual(self.skipped(path="src", glob="*.me"), {"src/out": "link", "src/up": "link"})

    def test_names_the_first_files_and_counts_the_rest_when_many_are_skipped(self):
        for number in range(60):
            self.put_bytes("%02d" % number, b"\0needle")
        answer = self.agent.search(pattern="needle")
        listed = [line["path"] for line in self.lines(answer)]
        self.assertEqual((listed, answer.ok), (["%02d" % number for number in range(49)], {"truncated": False, "skipped": 60}))

    def test_refuses_a_pattern_or_glob_when_it_is_malformed_or_needs_a_line_end(self):
        for pattern in ("(", "[", "*", "a{2,1}", "(?P<x>a)(?P<x>b)", "(" * 5000 + ")" * 5000):
            answer = self.agent.search(pattern=pattern)
            self.assertEqual(answer.code, "INVALID_PATTERN", pattern[:20])
        for pattern in ("a\nb", r"a\nb", r"(a\n|b\n)", r"[\n]"):
            answer = self.agent.search(pattern=pattern)
            self.assertEqual(answer.code, "INVALID_PATTERN", pattern)
            self.assertIn("one line at a time", answer.end["error"]["detail"])
        for pattern in (r"a\n?", r"a|b\n", r"\s", r"[^\n]"):
            self.assertEqual(self.found(pattern=pattern), [], pattern)
        for glob in ("[", "{a", "a[b", "[z-a]"):
            self.assertEqual(self.agent.search(glob=glob).code, "INVALID_PATTERN", glob)

    def test_ends_the_search_at_its_time_limit_when_the_pattern_takes_too_long(self):
        self.put("file", "a" * 5000 + "!\n")
        request = self.agent.open(op="search", path="", glob=None, pattern="(a+)+$", limit=10, timeout_ms=500)
        self.assertEqual(self.agent.run("echo meanwhile").stdout, b"meanwhile\n")
        answer = self.agent.wait(request)
        self.assertEqual(answer.code, "SEARCH_TIMED_OUT")
        self.assertIn("It was at `file`.", answer.end["error"]["detail"])
        worse = self.agent.search(glob="**/" * 30 + "x", pattern="(x+x+)+y", timeout_ms=500)
        self.assertIn(worse.end.get("error", {}).get("code"), ("SEARCH_TIMED_OUT", None))
        self.assertEqual(self.found(pattern="!$"), [("file", 1, "a" * 500)])
        self.assert_no_search_left()

    def test_gives_what_was_found_so_far_when_the_time_is_over(self):
        self.put("a", "aaa\n")
        self.put_bytes("b", b"\0aaa")
        self.put("c", "aa\n" + "a" * 5000 + "!\n")
        self.put("d", "a\n")
        answer = self.agent.search(pattern="(a+)+$", timeout_ms=1500)
        self.assertEqual(answer.ok, {"truncated": True, "skipped": 2})
        self.assertEqual(
            self.lines(answer),
            [
                {"path": "c", "reason": "timed_out"},
                {"path": "b", "reason": "binary"},
                {"path": "a", "line_number": 1, "line": "aaa"},
                {"path": "c", "line_number": 1, "line": "aa"},
            ],
        )
        self.assert_no_search_left()

    def test_finds_a_match_in_a_long_line_when_the_pattern_begins_with_any_characters(self):
        self.put("file", "x" * 500_000 + "\n" + "y" * 500_000 + "foo\n")
        for pattern in (".*foo", "^.*foo", ".*foo.*", ".*foo|bar"):
            self.assertEqual([number for _, number, _ in self.found(pattern=pattern)], [2], pattern)

    def test_ends_the_search_process_when_the_call_is_cancelled(self):
        self.put("file", "a" * 5000 + "!\n")
        request = self.agent.open(op="search", path="", glob=None, pattern="(a+)+$", limit=10, timeout_ms=60000)
        self.eventually(lambda: self.searches())
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")
        self.assert_no_search_left()

    def test_answers_sandbox_lost_when_the_search_process_is_killed(self):
        self.put("file", "a" * 5000 + "!\n")
        request = self.agent.open(op="search", path="", glob=None, pattern="(a+)+$", limit=10, timeout_ms=60000)
        self.eventually(lambda: self.searches())
        os.kill(self.searches()[0], 9)
        self.assertEqual(self.agent.wait(request).code, "SANDBOX_LOST")
        self.assertEqual(self.found(pattern="!$"), [("file", 1, "a" * 500)])

    def test_ends_the_search_process_when_the_channel_ends(self):
        self.put("file", "a" * 5000 + "!\n")
        agent = self.open_agent()
        agent.open(op="search", path="", glob=None, pattern="(a+)+$", limit=10, timeout_ms=60000)
        self.eventually(lambda: self.searches(agent))
        (pid,) = self.searches(agent)
        agent.hang_up()
        self.eventually(lambda: not os.path.exists("/proc/%d" % pid))

    def test_answers_with_an_error_when_a_pattern_would_need_too_much_memory(self):
        self.put("file", "x" * 60_000 + "\n")
        answer = self.agent.search(pattern="(?:(?:(?:x|y)*)*)*" * 50 + "[yz]", timeout_ms=3000)
        self.assertIn(answer.code, ("SEARCH_TIMED_OUT", "SANDBOX_EXHAUSTED", "INVALID_PATTERN"))

    def give_up_root(self):
        """Has searches made by somebody whom permissions bind."""
        text = harness._text
        self.addCleanup(setattr, harness, "_text", text)
        first = "    findings = Findings()\n"
        harness._text = lambda name: text(name).replace(first, "    os.setuid(65534)\n" + first)
        self.assertIn("setuid", harness._text("files/search/search.py"))
        for path in (self.base, self.root):
            os.chmod(path, 0o755)
        self.agent = self.open_agent()

    def searches(self, agent=None):
        workers = self.children_of((agent or self.agent).process.pid)
        return [child for worker in workers for child in self.children_of(worker)]

    def assert_no_search_left(self):
        self.eventually(lambda: not self.searches())
