"""What tests of watches share."""

import json
import time

from harness import line_of
from stream_test_case import StreamTestCase


class Watch:
    """A stream of the kind `watch`, as lines."""

    def __init__(self, stream):
        self.stream = stream
        self._rest = b""
        self.lines = []  # all that have come

    def _split(self):
        *lines, self._rest = (self._rest + self.stream.data).split(b"\n")
        self.stream.data = b""
        self.lines += map(line_of, lines)

    def has(self, condition):
        self._split()
        return condition(self.lines)

    def wait(self, condition):
        """Reads until the condition holds for the lines, or the stream has ended."""
        self.stream.wait(lambda: self.has(condition) or self.stream.eof)
        return self.lines

    def wait_ready(self):
        self.wait(bool)
        assert self.stream.reset is None, self.stream.reset
        assert self.lines[0] == {"ready": True}, self.lines[0]
        self.lines.pop(0)
        return self

    def wait_for(self, **line):
        """Returns the lines up to the last one, which has these members."""
        return self.wait(lambda lines: any(line.items() <= each.items() for each in lines))

    @property
    def told(self):
        """Short forms of the lines."""
        self._split()
        return [short(line) for line in self.lines]


def short(line):
    if "lost" in line:
        return " ".join(["lost", line["lost"], *([line["path"]] if "path" in line else [])])
    origin = [line["from"], "->"] if "from" in line else []
    return " ".join([line["type"], *origin, line["path"] + ("/" if line["is_dir"] else "")])


class WatchTestCase(StreamTestCase):
    def open_watch(self, path="", recursive=False, **question):
        """Returns a Watch that may not be ready yet."""
        stream = self.streams.open("watch").wait_accepted()
        line = {"path": path, "recursive": recursive, **question}
        stream.send_data(json.dumps(line).encode() + b"\n")
        return Watch(stream)

    def watch(self, path="", recursive=False, **question):
        return self.open_watch(path, recursive, **question).wait_ready()

    def settled(self, watch):
        """Returns what is told of all that has happened before this call, in the workspace's root."""
        mark = "mark%d" % time.monotonic_ns()
        self.put(mark, "")
        watch.wait_for(type="create", path=mark)
        told = watch.told
        watch.lines.clear()
        return told[: told.index("create " + mark)]
