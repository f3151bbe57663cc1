"""Drives a real agent process as the host does: over a socket, or over its two pipes.

SANDBOX_TEST_CHANNEL=exec makes every test use the pipes.
"""

import base64
import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

AGENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, AGENT)

from stream_set import StreamSet  # noqa: E402

from processes import process_table  # noqa: E402
from wire import frames  # noqa: E402

DEADLINE_SECONDS = 60


def _text(name):
    with open(os.path.join(AGENT, name), encoding="ascii") as file:
        return file.read()


def source_files():
    """The files of agent/ that are no tests, relative to it."""
    found = [
        os.path.relpath(os.path.join(directory, name), AGENT)
        for directory, _, names in os.walk(AGENT)
        for name in names
        if name.endswith(".py")
    ]
    return [file for file in found if not file.startswith("tests/")]


def module_files():
    """The files that the bundle is made of, relative to agent/. disk/ is another program."""
    return [file for file in source_files() if file not in ("bootstrap.py", "loader.py") and not file.startswith("disk/")]


def _module_name(file):
    return file[: -len(".py")].replace("/", ".").replace(".__init__", "")


def bundle(root, memory_events=None, direct=None, directory="/run/sandbox/", changes=()):
    """Returns what the bootstrap reads (PROTOCOL.md, "Bootstrap").

    `root` takes the place of /workspace, `memory_events` of the file with the kernel's count of kills,
    and `directory` of /run/sandbox/. `direct` is (name, token) of a socket there. `changes` are
    further ones: (module, text, the text in its place).
    """
    modules = {_module_name(file): _text(file) for file in module_files()}
    assert modules["files.paths"].count('b"/workspace"') == 1
    modules["files.paths"] = modules["files.paths"].replace('b"/workspace"', repr(os.fsencode(root)))
    if memory_events is not None:
        assert modules["processes.oom_kills"].count("/sys/fs/cgroup/memory.events") == 1
        modules["processes.oom_kills"] = modules["processes.oom_kills"].replace("/sys/fs/cgroup/memory.events", memory_events)
    assert modules["wire.direct_channel"].count('"/run/sandbox/"') == 1
    modules["wire.direct_channel"] = modules["wire.direct_channel"].replace('"/run/sandbox/"', repr(directory))
    for module, old, new in changes:
        assert modules[module].count(old) == 1, (module, old)
        modules[module] = modules[module].replace(old, new)
    source = ("DIRECT = %r\n" % (direct,) + "MODULES = " + json.dumps(modules) + "\n" + _text("loader.py")).encode()
    return b"%d\n" % len(source) + source


class Answer:
    """What has come for one request."""

    def __init__(self):
        self.stdout = b""
        self.stderr = b""
        self.granted = 0
        self.end = None

    @property
    def ok(self):
        assert "ok" in self.end, self.end
        return self.end["ok"]

    @property
    def code(self):
        assert "error" in self.end, self.end
        return self.end["error"]["code"]


def text_of(raw):
    """A name as text, in the tests as within the agent."""
    return raw.decode("utf-8", "surrogateescape")


def line_of(text):
    """What a line of JSON holds, with names as text. It may hold no half of a surrogate pair."""
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False).encode()
    encoded = [key for key in value if key.endswith("_base64")]
    names = {key: text_of(base64.b64decode(value[key], validate=True)) for key in encoded}
    return {key.replace("_base64", ""): names.get(key, value[key]) for key in value}


def _request(fields):
    """As the host sends it: a name that is no UTF-8 in base64."""
    request = {}
    for key, value in fields.items():
        if key in ("path", "from", "to") and re.search("[\udc80-\udcff]", value):
            key, value = key + "_base64", base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
        request[key] = value
    return request


class _Listener:
    """The host's socket, in a directory of its own."""

    name, token = "socket", "0123456789abcdef" * 4

    def __init__(self):
        self.directory = tempfile.mkdtemp() + "/"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.directory + self.name)
        self.socket.listen()

    def accept(self):
        """Accepts the agent, as the host does. Closes the listener."""
        self.socket.settimeout(DEADLINE_SECONDS)
        connection = self.socket.accept()[0]
        assert connection.recv(len(self.token), socket.MSG_WAITALL) == self.token.encode()
        connection.sendall(b"+")
        self.close()
        return connection

    def close(self):
        self.socket.close()
        shutil.rmtree(self.directory)


class Agent:
    def __init__(
        self, root, memory_events=None, transport=os.environ.get("SANDBOX_TEST_CHANNEL", "direct"), changes=(), prefix=()
    ):
        """`changes` are those of bundle(). `prefix` are the words of a program that runs the agent."""
        self.root = root
        listener = _Listener() if transport == "direct" else None
        line = _text("bootstrap.py").rstrip("\n")
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-I", "-S", "-u", "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        if listener is None:
            self.process.stdin.write(bundle(root, memory_events, changes=changes))
            self._connection = None
            self._in, self._out = self.process.stdout.fileno(), self.process.stdin.fileno()
        else:
            direct = (listener.name, listener.token)
            self.process.stdin.write(bundle(root, memory_events, direct, listener.directory, changes))
            self._connection = listener.accept()
            self._in = self._out = self._connection.fileno()
        self.answers = {}
        self.streams = StreamSet(self)
        self.auto_credit = True
        self._received = b""
        self._last_id = 0
        self.pongs = 0
        self.hello = None
        self.pump_until(lambda: self.hello)

    def close(self):
        self.hang_up()
        self.process.wait(DEADLINE_SECONDS)
        self.process.stdin.close()
        self.process.stdout.close()
        if self._connection is not None:
            self._connection.close()

    def hang_up(self):
        """Ends the channel from the host's side. What the agent still writes can be read."""
        if self._connection is None:
            self.process.stdin.close()
        else:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)

    def send_bytes(self, data):
        data = memoryview(data)
        while data:
            data = data[os.write(self._out, data) :]

    def read_rest(self):
        """Returns what the agent writes until it closes the channel."""
        rest = b""
        with contextlib.suppress(ConnectionError):
            while data := os.read(self._in, 1 << 20):
                rest += data
        return rest

    def fileno(self):
        """That of what the agent sends, for select()."""
        return self._in

    # ---- sending

    def send(self, kind, request_id, payload=b""):
        self.send_bytes(struct.pack(">IBI", len(payload), kind, request_id) + payload)

    def open(self, **request):
        self._last_id += 1
        self.answers[self._last_id] = Answer()
        self.send(frames.REQUEST, self._last_id, json.dumps(_request(request)).encode())
        return self._last_id

    def start(self, command, **settings):
        request = {"shell": "sh", "cwd": self.root, "env": {}, "timeout_ms": 60000, "max_output": 1 << 20, "stdin": False}
        request.update(settings)
        return self.open(op="exec", command=command, **request)

    def cancel(self, request_id):
        self.send(frames.CANCEL, request_id)

    def send_input(self, request_id, data):
        """DATA under the agent's credit, then EOF."""
        answer = self.answers[request_id]
        window = frames.WINDOW
        sent = 0
        while sent < len(data) and answer.end is None:
            self.pump_until(lambda: answer.end or window + answer.granted > sent)
            piece = data[sent : min(sent + 65536, window + answer.granted)]
            self.send(frames.DATA, request_id, piece)
            sent += len(piece)
        self.send(frames.EOF, request_id)

    # ---- receiving

    def pump_until(self, condition, seconds=DEADLINE_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self.pump(remaining):
                raise AssertionError("the agent did not answer in time")

    def pump(self, seconds):
        """Takes what the agent sends. Returns whether anything came within these seconds."""
        if not select.select([self._in], [], [], seconds)[0]:
            return False
        data = os.read(self._in, 1 << 20)
        if not data:
            raise EOFError("the agent has ended")
        self._received += data
        self._split()
        return True

    def _split(self):
        while len(self._received) >= 9:
            length, kind, request_id = struct.unpack_from(">IBI", self._received)
            assert length <= frames.MAX_AGENT_PAYLOAD, length
            if len(self._received) < 9 + length:
                return
            payload = self._received[9 : 9 + length]
            self._received = self._received[9 + length :]
            self._take(kind, request_id, payload)

    def _take(self, kind, request_id, payload):
        if kind == frames.HELLO:
            self.hello = json.loads(payload)
            return
        if kind == frames.PONG:
            self.pongs += 1
            return
        if kind >= frames.STREAM_OPEN:
            self.streams.take(kind, request_id, payload)
            return
        answer = self.answers[request_id]
        assert answer.end is None, "a frame after END"
        if kind == frames.OUT:
            answer.stdout += payload
        elif kind == frames.ERR:
            answer.stderr += payload
        elif kind == frames.DATA_CREDIT:
            answer.granted += int.from_bytes(payload, "big")
        elif kind == frames.END:
            answer.end = json.loads(payload)
        else:
            raise AssertionError("frame of type %d" % kind)
        if kind in (frames.OUT, frames.ERR) and self.auto_credit:
            self.credit(request_id, len(payload))

    def credit(self, request_id, size):
        self.send(frames.CREDIT, request_id, struct.pack(">I", size))

    def wait(self, request_id):
        answer = self.answers[request_id]
        self.pump_until(lambda: answer.end)
        return answer

    # ---- both

    def run(self, command, **settings):
        return self.wait(self.start(command, **settings))

    def call(self, op, **request):
        return self.wait(self.open(op=op, **request))

    def list(self, path="", **settings):
        return self.call("list", path=path, **settings)

    def read(self, path, offset=0, length=None, max_length=0, **settings):
        return self.call("read", path=path, offset=offset, length=length, max_length=max_length, **settings)

    def write(self, path, content, max_size=0, **settings):
        request_id = self.open(op="write", path=path, max_size=max_size, **settings)
        self.send_input(request_id, content)
        return self.wait(request_id)

    def delete(self, path, **settings):
        return self.call("delete", path=path, **settings)

    def start_edit(self, path, edits, max_size=0, **settings):
        """`edits` is [(old, new)] or [(old, new, all)]."""
        request_id = self.open(op="edit", path=path, max_size=max_size, **settings)
        whole = [dict(zip(("old", "new", "all"), (*each, False))) for each in edits]
        self.send_input(request_id, json.dumps(whole).encode())
        return request_id

    def edit(self, path, edits, **settings):
        return self.wait(self.start_edit(path, edits, **settings))

    def search(self, path="", glob=None, pattern=None, limit=1000, timeout_ms=20000, glob_of=None):
        """`glob_of` is what the host makes of the glob if it is written as a relative path."""
        of = glob_of or ("below" if glob and "/" in glob else "name")
        return self.call("search", path=path, glob=glob, glob_of=of, pattern=pattern, limit=limit, timeout_ms=timeout_ms)


class AgentTestCase(unittest.TestCase):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base, True)
        self.addCleanup(self.kill_what_is_left)
        self.root = os.path.join(self.base, "workspace")
        self.outside = os.path.join(self.base, "outside")
        os.mkdir(self.root)
        os.mkdir(self.outside)
        self.agent = self.open_agent()

    def open_agent(self, memory_events=None, **settings):
        """`settings` are those of Agent."""
        agent = Agent(self.root, memory_events, **settings)
        self.addCleanup(agent.close)
        return agent

    def kill_what_is_left(self):
        """Ends what commands have left in this test's directory: the agent kills it, unless the test fails."""
        self.eventually(lambda: not self.kill_in(self.base), "processes are left that nothing kills")

    def kill_in(self, directory):
        """Kills the processes that work in the directory or below it. Whether there were any."""
        found = False
        for pid in self.pids_in(directory):
            try:
                os.kill(pid, signal.SIGKILL)
                found = True
            except ProcessLookupError:
                pass
        return found

    def pids_in(self, directory):
        """Live processes that work in the directory or below it."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if (os.readlink("/proc/%d/cwd" % pid) + "/").startswith(directory + "/"):
                    found.append(pid)
            except OSError:
                pass  # it has ended
        return found

    def path(self, *names):
        return os.path.join(self.root, *names)

    def put(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def eventually(self, condition, message="it did not happen"):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, message)
            time.sleep(0.01)

    def pids_of(self, token):
        """Live processes of this test with this text in their command line.

        A process is of this test if it works in the test's directory. Another copy of the tests may run the same commands.
        """
        found = []
        for pid in self.pids_in(self.base):
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    if token.encode() in file.read():
                        found.append(pid)
            except OSError:
                pass  # it has ended
        return found

    def links_of(self, pid):
        """What a process has open. It opens and closes meanwhile, and may end."""
        links = []
        try:
            for descriptor in os.listdir("/proc/%d/fd" % pid):
                try:
                    links.append(os.readlink("/proc/%d/fd/%s" % (pid, descriptor)))
                except FileNotFoundError:
                    pass
        except (FileNotFoundError, ProcessLookupError):
            pass
        return links

    def children_of(self, pid):
        return [child for child, (parent, _, state) in process_table.snapshot().items() if parent == pid and state != b"Z"]
