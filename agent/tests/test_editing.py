import os
import time
import unicodedata
import unittest

from test_file_calls import FileCallsTestCase

from files.editing import edit_hints, line_ends


class LineEndsTest(FileCallsTestCase):
    def edited(self, content, *edits):
        self.put_bytes("file", content)
        answer = self.agent.edit("file", edits)
        self.assertIn("ok", answer.end, answer.end)
        return self.content("file")

    def test_writes_the_line_ends_of_the_file_when_the_edit_has_others(self):
        for content, old, new, expected in [
            (b"a\r\nb\r\nc\r\n", "a\nb\n", "a\nx\nb\n", b"a\r\nx\r\nb\r\nc\r\n"),
            (b"a\r\nb\r\nc\r\n", "b", "b\nx", b"a\r\nb\r\nx\r\nc\r\n"),
            (b"a\r\nb\r\nc\r\n", "b", "x\r\ny", b"a\r\nx\r\ny\r\nc\r\n"),
            (b"a\r\nb\r\nc\r\n", "a\r\nb", "a\nx\nb", b"a\r\nx\r\nb\r\nc\r\n"),
            (b"a\r\nb\r\nc\r\n", "\nb", "\nx\ny", b"a\r\nx\r\ny\r\nc\r\n"),
            (b"a\r\nb\r\nc\r\n", "b\n", "", b"a\r\nc\r\n"),
            (b"a\nb\nc\n", "a\r\nb\r\n", "x\r\nb\r\n", b"x\nb\nc\n"),
            (b"a\nb\nc\n", "b", "x\r\ny", b"a\nx\ny\nc\n"),
            (b"one", "one", "x\r\ny\nz", b"x\r\ny\nz"),
            ("\ufeffa\r\nb\r\n".encode(), "a\nb", "x\ny", "\ufeffx\r\ny\r\n".encode()),
            (b"10%\r20%\r\n", "10%", "x\ny", b"x\r\ny\r20%\r\n"),
        ]:
            self.assertEqual(self.edited(content, (old, new)), expected, (content, old, new))

    def test_writes_the_line_ends_of_the_file_when_all_matches_are_replaced(self):
        self.assertEqual(self.edited(b"x\r\nb\r\nx\r\n", ("x\n", "y\nz\n", True)), b"y\r\nz\r\nb\r\ny\r\nz\r\n")

    def test_changes_line_ends_when_the_edit_asks_for_that_alone(self):
        self.assertEqual(self.edited(b"a\r\nb\r\n", ("\r\n", "\n", True)), b"a\nb\n")
        self.assertEqual(self.edited(b"a\nb\n", ("\n", "\r\n", True)), b"a\r\nb\r\n")
        self.assertEqual(self.edited(b"a\r\nb\n", ("\n", "\r\n", True)), b"a\r\nb\r\n")
        self.assertEqual(self.edited(b"a\r\nb\n", ("\r\n", "\n", True)), b"a\nb\n")
        self.assertEqual(self.edited(b"a\r\nb\r\nc", ("a\r\n", "a\n")), b"a\nb\r\nc")

    def test_writes_the_line_end_of_the_place_when_the_file_has_both_kinds(self):
        mixed = b"a\r\nb\nc\r\nd\n"
        for old, new, expected in [
            ("a", "a\nx", b"a\r\nx\r\nb\nc\r\nd\n"),
            ("b", "b\r\nx", b"a\r\nb\nx\nc\r\nd\n"),
            ("b\r\nc\n", "b\r\nx\nc\n", b"a\r\nb\nx\nc\r\nd\n"),
            ("a\nb\nc\nd\n", "a\nb\nx\nd\n", b"a\r\nb\nx\r\nd\n"),
            ("b\nc\r\n", "B\nC\r\n", b"a\r\nB\nC\r\nd\n"),
            ("\nb", "\nx\ny", b"a\r\nx\r\ny\nc\r\nd\n"),
            ("d", "d\ne", b"a\r\nb\nc\r\nd\ne\n"),
        ]:
            self.assertEqual(self.edited(mixed, (old, new)), expected, (old, new))
        self.assertEqual(self.edited(b"x\r\nx\nx", ("x", "x\ny", True)), b"x\r\ny\r\nx\ny\nx\ny")
        self.assertEqual(self.edited(b"x\nx\r\nx\n", ("x\n", "y\n", True)), b"y\ny\r\ny\n")

    def test_prefers_the_match_with_the_exact_bytes_when_others_differ_in_line_ends(self):
        self.assertEqual(self.edited(b"a\r\nb\na\nb\r\n", ("a\nb", "x\ny")), b"a\r\nb\nx\ny\r\n")
        self.put_bytes("file", b"a\r\nb\na\r\nb\n")
        answer = self.agent.edit("file", [("a\nb", "x")])
        self.assertEqual(answer.code, "EDIT_NOT_APPLICABLE")
        self.assertIn("`old` matches 2 times and not once, on lines 1, 3:", answer.end["error"]["detail"])

    def test_refuses_an_edit_when_the_file_would_pass_the_size_limit(self):
        for content in (b"x\r\nx\n", b"x\r\nx\r\n"):
            self.put_bytes("file", content)
            size = len(content)
            self.assertEqual(self.agent.edit("file", [("x", "x\ny", True)], max_size=size + 3).code, "FILE_TOO_LARGE")
            self.assertIn("ok", self.agent.edit("file", [("x", "xy", True)], max_size=size + 2).end)

    def test_finds_every_match_when_the_file_has_both_kinds_of_line_ends(self):
        content = b"a\r\nb\rb\r\nc\n\nd\r\n\r\n" * 50
        normal = line_ends.normal(content)
        for at in range(0, 300, 7):
            for length in (1, 2, 5, 40):
                text = normal[at : at + length]
                edit = line_ends.MixedEdit(content, text, b"", True)
                for start, end, _ in edit.replacements():
                    self.assertEqual(line_ends.normal(content[start:end]), text)
                self.assertEqual(edit.count, normal.count(text))


class HintsTest(unittest.TestCase):
    def missing(self, content, old, new="new"):
        return edit_hints.missing(0, *(text.encode() for text in (content, old, new)))[len("edits[0]: `old` matches 0 times: ") :]

    FILE = "import os\n\ndef first():\n    return 1\n\n\ndef second(value):\n    return value + 1\n"

    def test_names_the_invisible_difference_when_a_line_differs_in_nothing_else(self):
        nfd = unicodedata.normalize("NFD", "caf\u00e9")
        for line, old, names in [
            ("\treturn 1", "    return 1", "tabs for spaces"),
            ("    return 1", "\treturn 1", "tabs for spaces"),
            ("a =\t1", "a = 1", "tabs for spaces"),
            ("    return 1", "      return 1", "indentation"),
            ("return 1", "return 1   ", "trailing blanks"),
            ("return 1\u00a0+ 2", "return 1 + 2", "non-breaking spaces"),
            ("say(\u201chi\u201d)", 'say("hi")', "typographic quotes"),
            ("it's", "it\u2019s", "typographic quotes"),
            ("a \u2013 b", "a - b", "typographic dashes"),
            (nfd + " = 1", "caf\u00e9 = 1", "Unicode normal form (the file has NFD)"),
            ("caf\u00e9 = 1", nfd + " = 1", "Unicode normal form (the file has NFC)"),
            ("a\u200bb", "ab", "invisible characters"),
            ("Return 1", "return 1", "upper and lower case"),
            ("f(a,  b)", "f(a, b)", "blanks within a line"),
            ("\t\u201chi\u201d", '    "hi"', "typographic quotes, tabs for spaces"),
        ]:
            text = self.missing("first\n" + line + "\nlast\n", old)
            self.assertTrue(text.startswith("it differs from the file in %s. Nearest is line 2, " % names), (line, old, text))
            self.assertLess(len(text), 250)

    def test_names_the_first_line_that_differs_when_the_text_has_many_lines(self):
        self.assertEqual(
            self.missing(self.FILE, "def first():\n\treturn 1\n\n"),
            'it differs from the file in tabs for spaces. Nearest is line 4, "    return 1".',
        )
        self.assertEqual(
            self.missing(self.FILE.replace("1\n\n", "1\n  \n"), "return 1\n\n\ndef second"),
            'it differs from the file in trailing blanks. Nearest is line 5, "  ".',
        )
        self.assertEqual(
            self.missing(self.FILE, "def second(value):\n    return value + 2\n"),
            'nearest is line 8, "    return value + 1", where `old` has "    return value + 2".',
        )
        self.assertEqual(
            self.missing(self.FILE, "def third(value):\n    return value + 1\n"),
            'nearest is line 7, "def second(value):", where `old` has "def third(value):".',
        )

    def test_shows_the_nearest_line_when_there_is_a_similar_one(self):
        self.assertEqual(
            self.missing(self.FILE, "def second(value, more):"),
            'nearest is line 7, "def second(value):", where `old` has "def second(value, more):".',
        )
        self.assertEqual(self.missing(self.FILE, "zebra crossing"), "nothing in the file is like it. Read the file again.")

    def test_names_the_copying_mistake_when_the_text_would_match_without_it(self):
        file = "def f():\n    print('a\\n')\n    return x < 1\n"
        for old, fault in [
            ("1: def f():", "its lines begin with line numbers"),
            ("     1\tdef f():\n     2\t    print('a\\n')", "its lines begin with line numbers"),
            ("1\u2192def f():\n2\u2192    print('a\\n')", "its lines begin with line numbers"),
            ("2:    print('a\\n')", "its lines begin with line numbers"),
            (" def f():\n-    print('a\\n')\n+    print('b')\n     return x < 1", "its lines begin with the marks of a diff"),
            ("```python\ndef f():\n    print('a\\n')\n```", "it is in a code fence"),
            ("def f():\\n    print", "it has escapes such as \\n for the characters themselves"),
            ("print('a\n')", "it has line ends where the file has \\n, as two characters"),
            ("return x &lt; 1", "it has entities such as &lt; for the characters themselves"),
            ("\n\ndef f():\n", "it ends or begins with line ends that the file does not have there"),
            ("\ufeffdef f():", "it begins with a byte order mark"),
        ]:
            text = self.missing(file, old)
            self.assertTrue(text.startswith(fault + ". Without that it is on line "), (old, text))
        self.assertTrue(self.missing("a &lt; b", "a < b").startswith("it has characters for which the file has entities"))

    def test_names_a_missing_last_newline_when_the_file_has_none(self):
        for old in ("return 1\n", "def f():\n    return 1\n"):
            self.assertIn("(a missing last newline). Nearest is the last line, 2.", self.missing("def f():\n    return 1", old))
        self.assertIn("tabs for spaces, a missing last newline. Nearest is line 2,", self.missing("def f():\n    return 1", "def f():\n\treturn 1\n"))

    def test_names_no_missing_last_newline_when_the_file_has_one(self):
        self.assertEqual(
            self.missing("def f():\n\treturn 1\n", "    return 1\n"),
            'it differs from the file in tabs for spaces. Nearest is line 2, "\\treturn 1".',
        )
        self.assertIn("tabs for spaces, a missing last newline.", self.missing("def f():\n\treturn 1\n", "    return 1\n\n"))

    def test_says_why_when_there_is_nothing_similar_to_show(self):
        self.assertEqual(self.missing("", "x"), "the file is empty.")
        self.assertEqual(self.missing("a", "  \n"), "it is white space alone, and the file has none like it.")
        self.assertEqual(self.missing(self.FILE, "def zero():", "def second(value):"), "but `new` is there already, on line 7.")
        self.assertTrue(edit_hints.missing(2, b"", b"x", b"").startswith("edits[2]: `old` matches 0 times: the file is empty. Lines"))

    def test_names_the_first_four_lines_when_the_text_matches_many_times(self):
        text = edit_hints.ambiguous(1, b"a\nb a\n" * 9, b"a", 18)
        self.assertEqual(text, "edits[1]: `old` matches 18 times and not once, on lines 1, 2, 3, 4 and more: give more of what is around it, or `all: true`.")

    def test_shows_a_long_line_at_the_place_where_it_differs(self):
        text = self.missing("x" * 500 + " value = 1\n", "x" * 500 + " value = 2")
        self.assertIn('value = 1"', text)
        self.assertIn('value = 2"', text)
        self.assertLess(len(text), 260)
        self.assertIn('"\\t\\x07\\u200bab"', self.missing("\t\x07\u200bab\n", "\t\x07ab"))

    def test_takes_no_quadratic_time_when_texts_are_hostile(self):
        million = 1 << 20
        for content, old in [
            (b"x\n" * (8 * million), b"y" * 100),
            (b"a" * (16 * million), b"a" * million + b"b"),
            (b"ab\n" * (5 * million), b"ab\n" * 100_000 + b"c"),
            (("a" + "\u0301\u0316" * 2000 + "\n").encode() * 1900, ("b" + "\u0316\u0301" * 2000).encode()),
            (b"word another\n" * million, b"word another thing\n" * 50_000),
            (b" " * (16 * million), b"\t" * million + b"x"),
            (b"\n" * (16 * million), b"\n" * million + b"x"),
        ]:
            began = time.process_time()
            edit_hints.missing(0, content, old, b"")
            # Quadratic time would be hours: this is no measurement.
            self.assertLess(time.process_time() - began, 120, (content[:10], old[:10]))


class NotUtf8Test(FileCallsTestCase):
    def test_says_what_to_do_when_the_file_is_not_utf8(self):
        for content, text in [
            ("\ufeffa\n".encode("utf-16-le"), "The file is UTF-16"),
            (b"a\n\xe9\n", "line 2 has another encoding"),
            (b"\0\xff", "it is binary"),
        ]:
            self.put_bytes("file", content)
            answer = self.agent.edit("file", [("a", "b")])
            self.assertEqual(answer.code, "EDIT_NOT_APPLICABLE")
            self.assertIn(text, answer.end["error"]["detail"])

    def test_changes_nothing_and_gives_the_hint_when_one_edit_of_several_does_not_match(self):
        self.put_bytes("file", b"\treturn 1\r\n")
        answer = self.agent.edit("file", [("return", "return"), ("    return 1\n", "x")])
        self.assertEqual(answer.code, "EDIT_NOT_APPLICABLE")
        self.assertIn("edits[1]: `old` matches 0 times: it differs from the file in tabs for spaces", answer.end["error"]["detail"])
        self.assertEqual((self.content("file"), os.listdir(self.root)), (b"\treturn 1\r\n", ["file"]))
