import json
import subprocess
import sys
import unittest

import harness
import messages

_VALUES = [
    {},
    {"ok": {"a": [1, -2.5, 1e300, None, True, False, [], {}], "empty": ""}},
    "quotes \" ' \\ / and \x00\x1f\x7f\n\t",
    "é € \U0001f600 \udc80",
    [[[["deep"]]]],
    1700000000.123456,
]


class MessagesTest(unittest.TestCase):
    def test_are_written_as_json_writes_them(self):
        for value in _VALUES:
            self.assertEqual(messages.dumps(value), json.dumps(value, separators=(",", ":")))

    def test_are_read_as_json_reads_them(self):
        for value in _VALUES:
            text = json.dumps(value)
            for form in (text, text.encode(), bytearray(text.encode()), memoryview(text.encode())):
                self.assertEqual(messages.loads(form), value)
        self.assertEqual(messages.loads('"€\U0001f600"'.encode()), "€\U0001f600")

    def test_of_another_form_are_refused(self):
        for text in ("", "{", "nothing", '{"a":1}x', '{"a":1}{}', '"open', "[1,]", '"\\x"', b"\xff"):
            with self.assertRaises(ValueError):
                messages.loads(text)

    def test_are_the_same_where_python_has_no_such_parts(self):
        script = "import sys; sys.modules['_json'] = None; sys.path.insert(0, %r); import messages; " % harness.AGENT
        script += "print(messages.dumps(messages.loads(memoryview(b'{\"a\": [1, \"b\"]}'))))"
        written = subprocess.run([sys.executable, "-I", "-c", script], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(written, b'{"a":[1,"b"]}\n')


class FootprintTest(unittest.TestCase):
    def test_an_agent_imports_nothing_that_costs_a_megabyte(self):
        """Every sandbox has it in memory for as long as it lives, and waits for it at its first call."""
        script = "import sys; sys.path.insert(0, %r); import worker, router; print(*sys.modules)" % harness.AGENT
        loaded = subprocess.run([sys.executable, "-I", "-S", "-c", script], stdout=subprocess.PIPE, check=True).stdout.decode().split()
        self.assertIn("router", loaded)
        self.assertEqual(set(loaded) & {"re", "enum", "json", "signal", "socket", "collections", "typing", "subprocess"}, set())


if __name__ == "__main__":
    unittest.main()
