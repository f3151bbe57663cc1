"""A worker's side of a question to a job's keeper (keeper_connection.py has the other side).

A command in the sandbox may pose as a keeper, and may stop a real one. So every answer is checked,
and every wait is bounded.
"""

import os
import re
import select
import struct
import time

import _socket

from jobs.keeper import ADDRESS
from processes import killing, own_process, process_table
from wire import frames, messages
from wire.errors import RequestError

_SEND_SECONDS = 5.0
# A keeper that ends closes its connections first, and its socket at most so much later.
_CLOSING_SECONDS = 0.5
_RETRY_SECONDS = 0.02
_MAX_JOBS = 256  # a command may listen on addresses of this form too


def listening_jobs():
    """Returns the ids of the jobs that have a keeper."""
    with open("/proc/net/unix", "rb") as file:
        sockets = file.read(1 << 20)
    # The flags 00010000 say that the socket accepts connections.
    pattern = rb"(?m)^\S+ \S+ \S+ 00010000 .* @" + re.escape(ADDRESS[1:]) + rb"([0-9a-f]{32})$"
    return [match.decode() for match in re.findall(pattern, sockets)[:_MAX_JOBS]]


def ask(channel, job_id, question, seconds, data=b"", take=None):
    """Asks a job's keeper. Returns (the `ok` of its answer, [(OUT or ERR, bytes)]).

    If `take` is given, it is called with each piece of output as it comes, and the list is empty.
    The answer as a whole may then take longer than `seconds`, but no piece of it.

    Raises RequestError, also the keeper's own, and Cancelled.
    """
    deadline = time.monotonic() + seconds
    with _connect(channel, job_id, deadline) as keeper:
        keeper.resume()
        pieces = [data[at : at + frames.MAX_HOST_PAYLOAD] for at in range(0, len(data), frames.MAX_HOST_PAYLOAD)]
        try:
            keeper.send(
                frames.json_frame(frames.REQUEST, 0, question)
                + b"".join(frames.frame(frames.DATA, 0, piece) for piece in pieces)
                + frames.frame(frames.EOF, 0)
            )
            return _receive_answer(channel, keeper, deadline) if take is None else _pass_answer_on(channel, keeper, seconds, take)
        except (OSError, EOFError):
            pass  # the keeper has closed the connection
    return _explain_close(job_id, deadline)


def find_pid(channel, job_id, seconds):
    """Returns the pid of a job's keeper. Raises RequestError JOB_NOT_FOUND."""
    with _connect(channel, job_id, time.monotonic() + seconds) as keeper:
        pid = keeper.pid
    if pid is not None:
        return pid
    # A command that poses as a keeper could tell any pid.
    pid = ask(channel, job_id, {"op": "pid"}, seconds)[0].get("pid")
    if pid not in process_table.pids_named(own_process.BACKGROUND_NAME):
        raise RequestError("JOB_NOT_FOUND", "There is no such job.")
    return pid


def senseless_answer():
    return RequestError("SANDBOX_LOST", "The job gave an answer that makes no sense.")


class _ConnectedKeeper:
    def __init__(self, connected):
        self._socket = connected
        self.fd = connected.fileno()
        pid = struct.unpack("iii", connected.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12))[0]
        self.pid = None if pid == os.getpid() else pid  # gVisor's kernel gives the asking process

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._socket.close()

    def resume(self):
        """Lets the keeper run on, if a command has stopped it."""
        if self.pid is None:
            _resume_all()
        else:
            killing.resume(self.pid)

    def send(self, data):
        view = memoryview(data)
        while view:
            select.select([], [self.fd], [], _SEND_SECONDS)
            view = view[self._socket.send(view) :]


def _resume_all():
    for pid in process_table.pids_named(own_process.BACKGROUND_NAME):
        killing.resume(pid)


def _connect(channel, job_id, deadline):
    while True:
        connection = _dial(job_id)
        if connection is not None:
            return _ConnectedKeeper(connection)
        if time.monotonic() > deadline:
            raise RequestError("SANDBOX_EXHAUSTED", "Too many calls wait for the job already.")
        # A keeper that a command has stopped accepts no connection. Without a connection its pid is
        # unknown.
        _resume_all()
        time.sleep(_RETRY_SECONDS)
        channel.receive()


def _dial(job_id):
    """Returns a connection, or None if the keeper's queue of connections to accept is full.

    Raises RequestError JOB_NOT_FOUND.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(_SEND_SECONDS)
    try:
        connection.connect(ADDRESS + job_id.encode())
        return connection
    except OSError as error:
        connection.close()
        if isinstance(error, BlockingIOError):
            return None
        raise RequestError("JOB_NOT_FOUND", "There is no such job.")


def _explain_close(job_id, deadline):
    """Says why a keeper closed the connection without an answer.

    Raises RequestError JOB_NOT_FOUND if the keeper has ended, else SANDBOX_LOST.
    """
    give_up_at = min(deadline, time.monotonic() + _CLOSING_SECONDS)
    while time.monotonic() < give_up_at:
        connection = _dial(job_id)
        if connection is not None:
            connection.close()
        time.sleep(_RETRY_SECONDS)
    raise RequestError("SANDBOX_LOST", "The job did not answer.")


def _receive_answer(channel, keeper, deadline):
    streams = []
    reader = frames.Reader(keeper.fd)
    while True:
        end = _receive_frames(channel, keeper, reader, deadline, lambda payload, kind: streams.append((kind, payload)))
        if end is not None:
            return end, streams


def _pass_answer_on(channel, keeper, seconds, take):
    reader = frames.Reader(keeper.fd)
    while True:
        end = _receive_frames(channel, keeper, reader, time.monotonic() + seconds, take)
        channel.flush()
        if end is not None:
            return end, []


def _receive_frames(channel, keeper, reader, deadline, take):
    """Waits for frames of the keeper. Hands output to `take`. Returns the `ok` of END, or None."""
    if channel.pending:
        channel.receive()  # raises Cancelled if the host has cancelled
    while True:
        remaining = deadline - time.monotonic()
        unsent = [channel.fd] if channel.unsent else []
        readable, writable, _ = select.select([keeper.fd, channel.fd], unsent, [], max(0, remaining))
        if channel.fd in readable:
            channel.receive()
        if writable:
            channel.flush()
        if keeper.fd in readable:
            break
        if remaining <= 0:
            raise RequestError("SANDBOX_LOST", "The job does not answer.")
    try:
        received = reader.read()
    except frames.BadFrame:
        raise senseless_answer()
    for kind, _, payload in received:
        if kind == frames.END:
            return _parse_end(payload)
        if kind not in (frames.OUT, frames.ERR):
            raise senseless_answer()
        take(payload, kind)
    return None


def _parse_end(payload):
    try:
        end = messages.loads(payload)
        messages.dumps(end)  # loads takes NaN, which dumps refuses
        if "ok" in end:
            return dict(end["ok"])
        code, detail = str(end["error"]["code"]), str(end["error"]["detail"])
    except Exception:
        raise senseless_answer()
    raise RequestError(code, detail)
