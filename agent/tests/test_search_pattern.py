import random
import re
import sys
import unittest

import harness  # noqa: F401  puts the agent's modules on the path

from files.search import search_pattern


class SearchPatternTest(unittest.TestCase):
    def test_finds_the_longest_text_that_every_match_of_a_pattern_contains(self):
        for pattern, literal in [
            ("needle", b"needle"),
            (r"def \w+_test\(", b"_test("),
            ("(foo)+barrr", b"barrr"),
            ("(?:long text)+x", b"long text"),
            ("foo?", b"fo"),
            ("foo|bar", None),
            ("(foo|bar)", None),
            ("(?i)foo", None),
            ("(?i:foo)ba", b"ba"),
            ("(?=foo)", None),
            ("(foo)*", None),
            (r"\d+", None),
            ("é", None),
            ("éab", b"ab"),
        ]:
            self.assertEqual(search_pattern.Pattern(pattern).literal, literal, pattern)

    def test_matches_the_same_lines_as_the_re_module(self):
        generator = random.Random(1)
        pieces = ["a", "b", "ab", ".*", ".*?", "^", "$", "(a|b)", "(ab)+", "(?:b)?", "[ab]", "[^a]", "c{2}", "(?i:A)", "(?!a)", r"\b", "|", "(?=b)", r"\w+"]
        lines = ["".join(generator.choice("abcAB .") for _ in range(generator.randrange(9))) for _ in range(300)]
        found = 0
        for _ in range(2000):
            pattern = "".join(generator.choice(pieces) for _ in range(generator.randrange(1, 6)))
            try:
                expected = re.compile(pattern).search
            except re.error:
                continue
            tried = search_pattern.Pattern(pattern)
            for line in lines:
                matches = expected(line) is not None
                found += matches
                self.assertEqual(tried.find(line) is not None, matches, (pattern, line))
                if matches and tried.literal is not None:
                    self.assertIn(tried.literal.decode(), line, pattern)
        self.assertGreater(found, 10_000)

    def test_refuses_a_pattern_when_every_match_needs_a_line_end(self):
        needs = ["a\nb", r"a\nb", r"a\x0ab", "(?s)a\nb", "(a|b)\n", "(a\n|b\n)", "[\n]", r"(?:\n)+", "(?i:a\n)", "(?P<x>\n)"]
        if sys.version_info >= (3, 11):
            needs += ["(?>a\n)", "\n++"]
        for pattern in needs:
            with self.assertRaisesRegex(search_pattern.BadPattern, "one line at a time", msg=pattern):
                search_pattern.Pattern(pattern)
        for pattern in ["a", r"a\n?", r"a\n*", r"[^\n]", "a|b\n", r"\s", r"a\\nb", "(?<!\n)a", "(a\n)?", "(?!\n)", "[\n ]", "."]:
            search_pattern.Pattern(pattern)
