"""A job's keeper: the process that stays with the job's command and answers for it.

A job is a command that outlives the call that started it. Its keeper is a worker that has left the
router. It holds the job's output and how the job ended, until the job is deleted. It listens on an
abstract socket: every agent in the sandbox finds that, and no command can remove it.
"""

import os
import select
import time

import _socket

from jobs.follower import Follower
from jobs.keeper_connection import KeeperConnection, accept_connection
from jobs.ring import Ring
from processes import disk_limits, oom_kills, waiting
from processes.running_command import RunningCommand, exit_code
from wire import frames
from wire.errors import RequestError, end_code

ADDRESS = b"\0sandbox-job-"
MAX_UNREAD_INPUT = 1 << 20
_MAX_CONNECTIONS = 256
_MAX_WAITING = 32  # questions that wait for output or the job's end
_TIMED_OUT_EXIT_CODE = 124
# If a command writes much in small pieces, the keeper lets so long pass between two reads. What
# comes meanwhile costs one read instead of ten.
_PAUSE_SECONDS = 0.00025
_LITTLE_BYTES = 32 << 10


class Keeper:
    def __init__(self, channel, request):
        self._channel = channel
        self._id = request["job_id"]
        self._command = request["command"]
        self._output = {"stdout": Ring(), "stderr": Ring()}
        self._max_output = request["max_output"]
        self._running = RunningCommand(channel.wakeup, list(self._output.values()))
        self._state = "running"
        self._exit_code = self._signal = self._ended_at = None
        self._kills = oom_kills.count()
        self._oom_killed = False
        self._ends = disk_limits.ends()
        self._disk_limit = False
        self._terminal = request.get("terminal")  # {columns, rows, detached_ms}
        self._last_read = time.monotonic()
        self._connections = {}  # open KeeperConnections as keys, the oldest first
        self._listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._listener.bind(ADDRESS + self._id.encode())
        self._listener.listen(_MAX_CONNECTIONS)
        self._listener.setblocking(False)
        self._started_at = time.time()
        self._ends_by = self._started_at + request["timeout_ms"] / 1000
        self._deadline = time.monotonic() + request["timeout_ms"] / 1000

    def start_command(self, request, stdin, keep_open):
        """Starts the job's command.

        `stdin` is bytes, or None. `keep_open` says that more input may follow. Raises RequestError
        or OSError. Then no process of the job is left.
        """
        wants_input = stdin is not None or keep_open
        try:
            if self._terminal is not None:
                self._running.start_on_terminal(request, self._terminal["columns"], self._terminal["rows"])
            else:
                self._running.start(request, _ignore if wants_input else None)
        except BaseException:
            self._running.kill()
            self._running.close()
            self._listener.close()
            raise
        if stdin:
            self._running.add_input(stdin)
        if wants_input and not keep_open and self._terminal is None:
            self._running.add_input(None)

    def linger(self):
        """Answers for the job until job_delete kills this process.

        For a terminal, until no question for output has come for `detached_ms`.
        """
        self._channel.close()
        self._running.watch(self._listener.fileno(), select.POLLIN, self._accept)
        while not self._abandoned():
            before = self._written
            self._running.step(self._timeout_ms())
            if 0 < self._written - before < _LITTLE_BYTES:
                time.sleep(_PAUSE_SECONDS)
            self._trim()
            if self._state == "running":
                self._note_end()
            for connection in list(self._connections):
                self._serve_connection(connection)
        self._running.kill()

    def _abandoned(self):
        if self._terminal is None:
            return False
        if any(each.answer_at is not None for each in self._connections):
            self._last_read = time.monotonic()
        return time.monotonic() >= self._abandoned_at

    @property
    def _abandoned_at(self):
        return self._last_read + self._terminal["detached_ms"] / 1000

    def _timeout_ms(self):
        times = [each.answer_at for each in self._connections if each.answer_at is not None]
        if self._state == "running":
            times.append(self._deadline)
        if self._terminal is not None:
            times.append(self._abandoned_at)
        return waiting.poll_ms(min(times)) if times else None

    @property
    def _written(self):
        return sum(ring.stop for ring in self._output.values())

    def _trim(self):
        excess = sum(map(len, self._output.values())) - self._max_output
        if excess > 0:
            max(self._output.values(), key=len).drop(excess)

    def _note_end(self):
        timed_out = self._running.status is None and time.monotonic() >= self._deadline
        if timed_out:
            self._running.kill()
        elif self._running.status is None:
            return
        self._oom_killed = oom_kills.count() > self._kills
        self._disk_limit = disk_limits.reached(self._ends)
        self._running.end_output()
        self._trim()
        self._ended_at = time.time()
        status = self._running.status
        self._exit_code = _TIMED_OUT_EXIT_CODE if timed_out else exit_code(status)
        self._signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) and not timed_out else None
        self._state = "timed_out" if timed_out else "exited" if self._signal is None else "killed"

    # ---- questions

    def _accept(self, _):
        try:
            fd = accept_connection(self._listener)
        except OSError:
            return
        if len(self._connections) >= _MAX_CONNECTIONS:
            # This one has been the slowest to ask, or to take its answer. It is hardly an agent's.
            self._close_connection(next(each for each in self._connections if each.answer_at is None))
        connection = KeeperConnection(fd)
        self._connections[connection] = None
        self._running.watch(connection.fd, select.POLLIN, lambda _: connection.read())

    def _serve_connection(self, connection):
        try:
            if connection.request is not None and not connection.answered:
                self._answer_question(connection)
            connection.write()
        except Exception:  # the other side is no agent
            connection.ended = True
        if connection.ended:
            self._close_connection(connection)
        elif connection.has_more != connection.watched_for_room:
            connection.watched_for_room = connection.has_more
            events = select.POLLIN | select.POLLOUT if connection.has_more else select.POLLIN
            self._running.watch(connection.fd, events, lambda _: connection.read())

    def _close_connection(self, connection):
        del self._connections[connection]
        self._running.unwatch(connection.fd)
        connection.close()

    def _answer_question(self, connection):
        request = connection.request
        streams = []
        try:
            if request["op"] == "output" and not self._has_news(request) and self._waits(connection, request["wait_ms"]):
                return
            if request["op"] == "stream":
                result = self._feed_follower(connection, request)
                if result is None:
                    return
            else:
                connection.answer_at = None
                streams, result = _ANSWERS[request["op"]](self, request, connection.data)
            answer = frames.ok_frame(0, result)
        except RequestError as error:
            answer = frames.error_frame(0, *end_code(error))
        for kind, data in streams:
            connection.unsent.add(frames.header(kind, 0, data), data)
        connection.answer(answer)

    def _waits(self, connection, wait_ms):
        """Returns whether a question waits on for output or the job's end.

        If _MAX_WAITING questions wait already, it does not: the keeper answers with what there is.
        """
        if connection.answer_at is None:
            if self._has_enough_waiting():
                return False
            connection.answer_at = time.monotonic() + wait_ms / 1000
        return time.monotonic() < connection.answer_at

    def _has_enough_waiting(self):
        return sum(each.answer_at is not None for each in self._connections) >= _MAX_WAITING

    def _feed_follower(self, connection, request):
        """Returns the `ok` of the answer once all of it is queued, else None."""
        follower = connection.follower
        if follower is None:
            follower = connection.follower = Follower(self._output[request["stream"]], request)
            connection.unsent.add(follower.head)
            if self._has_enough_waiting():
                follower.stop_following()
        result = follower.feed(connection.unsent, self._state != "running")
        connection.answer_at = follower.ends_at
        return result

    def _answer_stat(self, request, data):
        return [], {
            "job_id": self._id,
            "command": self._command,
            "state": self._state,
            "exit_code": self._exit_code,
            "signal": self._signal,
            "started_at": self._started_at,
            "ends_by": self._ends_by,
            "ended_at": self._ended_at,
            "oom_killed": self._oom_killed or (self._state == "running" and oom_kills.count() > self._kills),
            "disk_limit": self._disk_limit or (self._state == "running" and disk_limits.reached(self._ends)),
            "stdout_bytes": self._output["stdout"].stop,
            "stderr_bytes": self._output["stderr"].stop,
            "terminal": self._terminal is not None,
        }

    def _answer_pid(self, request, data):
        return [], {"pid": os.getpid()}

    def _has_news(self, request):
        wanted = [(self._output[name], offset) for name, offset in request["offsets"].items()]
        return self._state != "running" or any(ring.stop > offset for ring, offset in wanted)

    def _answer_output(self, request, data):
        self._last_read = time.monotonic()
        streams, result = [], {}
        limit = request["limit"]
        for name, offset in request["offsets"].items():
            ring = self._output[name]
            if offset > ring.stop:
                raise RequestError("RANGE_NOT_SATISFIABLE", "The stream has %d bytes." % ring.stop)
            first, taken = ring.read(offset, limit)
            size = sum(map(len, taken))
            limit -= size
            ended = self._state != "running" and first + size == ring.stop
            result[name] = {"offset": first, "next_offset": first + size, "gap": first - offset, "eof": ended}
            streams += [(frames.OUT if name == "stdout" else frames.ERR, view) for view in taken]
        return streams, result

    def _answer_stdin(self, request, data):
        self._check_running()
        if not self._running.input_open:
            raise RequestError("JOB_STDIN_CLOSED", "The job takes no input.")
        if self._running.unread_input + len(data) > MAX_UNREAD_INPUT:
            raise RequestError("JOB_STDIN_FULL", "The job has %d bytes of input to read first." % self._running.unread_input)
        self._running.add_input(data)
        if request["eof"]:
            self._running.add_input(None)
        return [], {}

    def _answer_signal(self, request, data):
        self._check_running()
        try:
            os.killpg(self._running.pid, request["signal"])
        except ProcessLookupError:
            raise RequestError("JOB_ENDED", "The job has ended.")
        return [], {}

    def _check_running(self):
        if self._state != "running" or self._running.status is not None:
            raise RequestError("JOB_ENDED", "The job has ended.")

    def _answer_resize(self, request, data):
        if self._terminal is None or self._state != "running":
            raise RequestError("JOB_ENDED", "The terminal has ended.")
        self._running.resize(request["columns"], request["rows"])
        return [], {}


# By the name of the question, as keeper_client asks it.
_ANSWERS = {
    "stat": Keeper._answer_stat,
    "pid": Keeper._answer_pid,
    "output": Keeper._answer_output,
    "stdin": Keeper._answer_stdin,
    "signal": Keeper._answer_signal,
    "resize": Keeper._answer_resize,
}


def _ignore(done):
    pass
