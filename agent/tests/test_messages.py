import json
import subprocess
import sys
import unittest

import harness

from wire import messages

_VALUES = [
    {},
    {"ok": {"a": [1, -2.5, 1e300, None, True, False, [], {}], "empty": ""}},
    "quotes \" ' \\ / and \x00\x1f\x7f\n\t",
    "é € \U0001f600 \udc80",
    [[[["deep"]]]],
    1700000000.123456,
]


# What is done to the module _json, by what a later Python may have done to it.
_OTHER_PYTHONS = {
    "no module": "sys.modules['_json'] = None",
    "no encoder": "del _json.make_encoder",
    "no scanner": "del _json.make_scanner",
    "an encoder that takes no arguments by position": "made = _json.make_encoder; _json.make_encoder = lambda *, markers=None: made",
    "an encoder that takes one more argument": "made = _json.make_encoder; _json.make_encoder = lambda *given, more: made(*given)",
    "an encoder that gives text": "made = _json.make_encoder; _json.make_encoder = lambda *given: lambda value, level: [1]",
    "separators in another order": "made = _json.make_encoder; _json.make_encoder = lambda a, b, c, d, x, y, *more: made(a, b, c, d, y, x, *more)",
    "a scanner that gives the value alone": "made = _json.make_scanner; _json.make_scanner = lambda context: lambda text, at: made(context)(text, at)[0]",
    "a scanner that takes the text alone": "made = _json.make_scanner; _json.make_scanner = lambda context: lambda text: made(context)(text, 0)",
}


class MessagesTest(unittest.TestCase):
    def test_writes_what_the_json_module_writes(self):
        for value in _VALUES:
            self.assertEqual(messages.dumps(value), json.dumps(value, separators=(",", ":")))

    def test_quotes_a_text_as_it_writes_one(self):
        for text in ("", "plain", _VALUES[2], _VALUES[3]):
            self.assertEqual(messages.quote(text), messages.dumps(text))

    def test_reads_what_the_json_module_reads(self):
        for value in _VALUES:
            text = json.dumps(value)
            for form in (text, text.encode(), bytearray(text.encode()), memoryview(text.encode())):
                self.assertEqual(messages.loads(form), value)
        self.assertEqual(messages.loads('"€\U0001f600"'.encode()), "€\U0001f600")

    def test_refuses_a_text_when_it_is_not_json(self):
        for text in ("", "{", "nothing", '{"a":1}x', '{"a":1}{}', '"open', "[1,]", '"\\x"', b"\xff"):
            with self.assertRaises(ValueError):
                messages.loads(text)

    def test_reads_and_writes_the_same_when_the_c_functions_of_python_are_missing_or_changed(self):
        for name, change in _OTHER_PYTHONS.items():
            with self.subTest(name):
                # Its own json knows the changed functions: here it gets them before.
                script = "import sys, json, _json\n%s\nsys.path.insert(0, %r)\nfrom wire import messages\n" % (change, harness.AGENT)
                script += "print(messages.dumps(messages.loads(memoryview(b'{\"a\": [1, \"\\xc3\\xa9\"]}'))), messages.quote('\"\\xe9'), messages.loads.__qualname__)"
                written = subprocess.run([sys.executable, "-I", "-c", script], stdout=subprocess.PIPE, check=True).stdout
                self.assertEqual(written, b'{"a":[1,"\\u00e9"]} "\\"\\u00e9" _json_module.<locals>.loads\n')

    def test_uses_the_c_functions_of_this_python(self):
        self.assertEqual(messages.loads.__qualname__, "_c_functions.<locals>.loads")


class FootprintTest(unittest.TestCase):
    def test_imports_no_large_module_into_an_agent(self):
        """Every sandbox has it in memory for as long as it lives, and waits for it at its first call."""
        script = "import sys; sys.path.insert(0, %r); from supervisor import worker, router; print(*sys.modules)" % harness.AGENT
        loaded = subprocess.run([sys.executable, "-I", "-S", "-c", script], stdout=subprocess.PIPE, check=True).stdout.decode().split()
        self.assertIn("supervisor.router", loaded)
        self.assertEqual(set(loaded) & {"re", "enum", "json", "signal", "socket", "collections", "typing", "subprocess"}, set())


if __name__ == "__main__":
    unittest.main()
