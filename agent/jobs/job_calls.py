"""The job operations of PROTOCOL.md: starting a job's keeper, and asking the keepers."""

import os
import re
import select
import struct
import time

import _socket

from jobs.job import ADDRESS, MAX_UNREAD_INPUT, Job
from processes import processes
from wire import frames, messages
from wire.errors import RequestError

_ANSWER_SECONDS = 5.0
_LIST_SECONDS = 10.0  # for all jobs together
_END_SECONDS = 0.5  # that a keeper takes at most, from the end of its connections to that of its socket
_RETRY_SECONDS = 0.02
_MAX_JOBS = 256  # a command may listen under such names too
_KILL_SECONDS = 5.0


def start(link, wakeup, request):
    """The Job, which is to stay. Raises RequestError or OSError where it cannot be started."""
    stdin = _receive(link) if request["stdin"] else None
    job = Job(link, wakeup, request)
    job.start(request, stdin, request["open_stdin"])
    return job


def list_jobs(link, request):
    """Of a job whose keeper is there and does not answer in time, that it is silent: it may be running."""
    deadline = time.monotonic() + _LIST_SECONDS
    for job_id in _listening():
        try:
            result = _account(link, job_id, min(_ANSWER_SECONDS, deadline - time.monotonic()))
        except RequestError as error:
            if error.code == "JOB_NOT_FOUND":
                continue  # it has been forgotten since
            result = {"job_id": job_id, "silent": True}
        link.send_output(messages.dumps(result).encode() + b"\n")
    return {}


def stat(link, request):
    """The command goes out before END, in which there is no room for every one."""
    result = _account(link, request["job_id"], _ANSWER_SECONDS)
    link.send_output(messages.dumps(result.pop("command", "")).encode())
    return result


def _account(link, job_id, seconds):
    """What a keeper tells of its job."""
    result, _ = _ask(link, job_id, {"op": "stat"}, seconds)
    if result.get("job_id") != job_id:
        raise _senseless()
    return result


def output(link, request):
    question = {"op": "output", "offsets": request["offsets"], "limit": request["limit"], "wait_ms": request["wait_ms"]}
    result, streams = _ask(link, request["job_id"], question, _ANSWER_SECONDS + request["wait_ms"] / 1000)
    for kind, data in streams:
        link.send_output(data, kind)
    return result


def stdin(link, request):
    data = _receive(link)
    return _ask(link, request["job_id"], {"op": "stdin", "eof": request["eof"]}, _ANSWER_SECONDS, data)[0]


def send_signal(link, request):
    return _ask(link, request["job_id"], {"op": "signal", "signal": request["signal"]}, _ANSWER_SECONDS)[0]


def resize(link, request):
    return _ask(link, request["job_id"], {"op": "resize", "columns": request["columns"], "rows": request["rows"]}, _ANSWER_SECONDS)[0]


def delete(link, request):
    """Kills the job's tree and its keeper. From here, so that a keeper that was stopped does not matter."""
    with _connect(link, request["job_id"], time.monotonic() + _ANSWER_SECONDS) as keeper:
        pid = keeper.pid
    if pid is None:
        pid = _told_pid(link, request["job_id"])
    deadline = time.monotonic() + _KILL_SECONDS
    while processes.kill_descendants(pid) and time.monotonic() < deadline:
        processes.resume(pid)  # it is the one that reaps them
        time.sleep(_RETRY_SECONDS)
    processes.kill(pid)
    while processes.exists(pid) and time.monotonic() < deadline:
        time.sleep(_RETRY_SECONDS)
    return {}


def _told_pid(link, job_id):
    """As the keeper has it, which need not be one."""
    pid = _ask(link, job_id, {"op": "pid"}, _ANSWER_SECONDS)[0].get("pid")
    if pid not in processes.named(processes.BACKGROUND_NAME):
        raise RequestError("JOB_NOT_FOUND", "There is no such job.")
    return pid


def _receive(link):
    data = bytearray()
    while True:
        for piece in link.wait_input():
            if piece is None:
                return bytes(data)
            data += piece
            if len(data) > MAX_UNREAD_INPUT:
                raise RequestError("JOB_STDIN_FULL", "At most %d bytes of input are taken at a time." % MAX_UNREAD_INPUT)
            link.grant(len(piece))


def _listening():
    """Ids of the jobs that have a keeper."""
    with open("/proc/net/unix", "rb") as file:
        sockets = file.read(1 << 20)
    # Flags 00010000: it accepts connections.
    pattern = rb"(?m)^\S+ \S+ \S+ 00010000 .* @" + re.escape(ADDRESS[1:]) + rb"([0-9a-f]{32})$"
    return [match.decode() for match in re.findall(pattern, sockets)[:_MAX_JOBS]]


class _Keeper:
    def __init__(self, connected):
        self._socket = connected
        self.fd = connected.fileno()
        pid = struct.unpack("iii", connected.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12))[0]
        self.pid = None if pid == os.getpid() else pid  # gVisor's kernel names who asks

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._socket.close()

    def resume(self):
        """A command may have stopped it."""
        if self.pid is None:
            _resume_all()
        else:
            processes.resume(self.pid)

    def send(self, data):
        view = memoryview(data)
        while view:
            select.select([], [self.fd], [], _ANSWER_SECONDS)
            view = view[self._socket.send(view) :]

    def receive(self):
        return self._socket.recv(64 << 10)


def _resume_all():
    for pid in processes.named(processes.BACKGROUND_NAME):
        processes.resume(pid)


def _connect(link, job_id, deadline):
    while True:
        connection = _dial(job_id)
        if connection is not None:
            return _Keeper(connection)
        if time.monotonic() > deadline:
            raise RequestError("SANDBOX_EXHAUSTED", "Too many calls wait for the job already.")
        _resume_all()  # a keeper that was stopped accepts nobody, and without a connection it is not known which
        time.sleep(_RETRY_SECONDS)
        link.receive()


def _dial(job_id):
    """A connection, or None where more of them wait to be accepted than may. Raises RequestError JOB_NOT_FOUND."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(_ANSWER_SECONDS)
    try:
        connection.connect(ADDRESS + job_id.encode())
        return connection
    except OSError as error:
        connection.close()
        if isinstance(error, BlockingIOError):
            return None
        raise RequestError("JOB_NOT_FOUND", "There is no such job.")


def _ask(link, job_id, question, seconds, data=b""):
    """(the `ok` of the keeper's answer, [(OUT or ERR, bytes)]). Raises RequestError with the keeper's own, and Cancelled."""
    deadline = time.monotonic() + seconds
    with _connect(link, job_id, deadline) as keeper:
        keeper.resume()
        pieces = [data[at : at + frames.MAX_HOST_PAYLOAD] for at in range(0, len(data), frames.MAX_HOST_PAYLOAD)]
        try:
            keeper.send(
                frames.json_frame(frames.REQUEST, 0, question)
                + b"".join(frames.frame(frames.DATA, 0, piece) for piece in pieces)
                + frames.frame(frames.EOF, 0)
            )
            return _answer(link, keeper, deadline)
        except OSError:
            pass  # it has hung up
    return _explain_end(job_id, deadline)


def _explain_end(job_id, deadline):
    """Of a keeper that hung up on a question: raises RequestError JOB_NOT_FOUND where that was its end, else SANDBOX_LOST."""
    give_up_at = min(deadline, time.monotonic() + _END_SECONDS)
    while time.monotonic() < give_up_at:
        connection = _dial(job_id)
        if connection is not None:
            connection.close()
        time.sleep(_RETRY_SECONDS)
    raise RequestError("SANDBOX_LOST", "The job did not answer.")


def _answer(link, keeper, deadline):
    received = b""
    streams = []
    if link.pending:
        link.receive()  # raises where the host has cancelled
    while True:
        remaining = deadline - time.monotonic()
        ready = select.select([keeper.fd, link.fd], [], [], max(0, remaining))[0]
        if link.fd in ready:
            link.receive()
        if keeper.fd in ready:
            data = keeper.receive()
            if not data:
                raise ConnectionResetError
            try:
                answered, received = frames.split(received + data)
            except frames.BadFrame:
                raise _senseless()
            for kind, _, payload in answered:
                if kind == frames.END:
                    return _result(payload), streams
                if kind not in (frames.OUT, frames.ERR):
                    raise _senseless()
                streams.append((kind, payload))
        elif remaining <= 0:
            raise RequestError("SANDBOX_LOST", "The job does not answer.")


def _result(payload):
    try:
        end = messages.loads(payload)
        messages.dumps(end)  # it can read what it cannot write: NaN
        if "ok" in end:
            return dict(end["ok"])
        code, detail = str(end["error"]["code"]), str(end["error"]["detail"])
    except Exception:  # a command may pose as a keeper
        raise _senseless()
    raise RequestError(code, detail)


def _senseless():
    return RequestError("SANDBOX_LOST", "The job gave an answer that makes no sense.")


OPERATIONS = {
    "job_list": list_jobs,
    "job_stat": stat,
    "job_output": output,
    "job_stdin": stdin,
    "job_signal": send_signal,
    "job_resize": resize,
    "job_delete": delete,
}
