import unittest

import harness  # noqa: F401  (the agent's directory is on sys.path by it)
from files import file_names

FACE = "\U0001f600"
CAFE = b"caf\xe9"


class FileNamesTest(unittest.TestCase):
    def test_shows_escapes_when_a_name_is_not_utf_8(self):
        for name, shown in [
            (b"", ""),
            ("na\u00efve.txt".encode(), "na\u00efve.txt"),
            (CAFE, "caf\\xe9"),
            # What could become half of a surrogate pair, or be taken for one, is no UTF-8.
            ("\udcff".encode("utf-8", "surrogateescape"), "\\xff"),
            ("\ud83d".encode("utf-8", "surrogatepass"), "\\xed\\xa0\\xbd"),
            (FACE.encode()[:3], "\\xf0\\x9f\\x98"),
        ]:
            self.assertEqual(file_names.shown(name), shown)

    def test_cuts_a_shown_name_between_characters_when_it_is_long(self):
        for before in ("", "x", "xy", "xyz"):
            shown = file_names.shown((before + FACE * 300).encode())
            self.assertEqual(shown, before + FACE * (200 - len(before)))
        for name in (FACE.encode() * 300, b"\xff" * 300, b"x" * 199 + b"\xff"):
            shown = file_names.shown(name)
            self.assertEqual(len(shown), 200)
            shown.encode()  # it holds no half of a surrogate pair

    def test_sends_and_reads_a_name_as_base64_when_it_is_not_utf_8(self):
        self.assertEqual(file_names.member("path", "na\u00efve"), ("path", "na\u00efve"))
        text = CAFE.decode("utf-8", "surrogateescape")
        self.assertEqual(file_names.member("name", text), ("name_base64", "Y2Fm6Q=="))
        request = {"path": "shown", "path_base64": "Y2Fm6Q==", "to": "a"}
        file_names.restore(request)
        self.assertEqual((request["path"], request["to"]), (text, "a"))


if __name__ == "__main__":
    unittest.main()
