"""The job operations of PROTOCOL.md: starting a job's keeper, and asking the keepers."""

import os
import re
import select
import struct
import time

import _socket
import frames
import messages
import processes
from errors import RequestError
from job import ADDRESS, MAX_UNREAD_INPUT, Job

_ANSWER_SECONDS = 5.0
_MAX_JOBS = 256  # a command may listen under such names too
_KILL_SECONDS = 5.0
_KILL_INTERVAL_SECONDS = 0.02


def start(link, wakeup, request):
    """The Job, which is to stay. Raises RequestError or OSError where it cannot be started."""
    stdin = _receive(link) if request["stdin"] else None
    job = Job(link, wakeup, request)
    job.start(request, stdin, request["open_stdin"])
    return job


def list_jobs(link, request):
    """Those whose keepers do not answer are left out."""
    for job_id in _listening():
        try:
            result, _ = _ask(link, job_id, {"op": "stat"}, _ANSWER_SECONDS)
        except (RequestError, OSError):
            continue
        link.send_output(messages.dumps(result).encode() + b"\n")
    return {}


def stat(link, request):
    return _ask(link, request["job_id"], {"op": "stat"}, _ANSWER_SECONDS)[0]


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
    with _connect(request["job_id"]) as keeper:
        pid = keeper.pid
    if pid is None:
        pid = _told_pid(link, request["job_id"])
    deadline = time.monotonic() + _KILL_SECONDS
    while processes.kill_descendants(pid) and time.monotonic() < deadline:
        processes.resume(pid)  # it is the one that reaps them
        time.sleep(_KILL_INTERVAL_SECONDS)
    processes.kill(pid)
    while processes.exists(pid) and time.monotonic() < deadline:
        time.sleep(_KILL_INTERVAL_SECONDS)
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
        for pid in processes.named(processes.BACKGROUND_NAME) if self.pid is None else [self.pid]:
            processes.resume(pid)

    def send(self, data):
        view = memoryview(data)
        while view:
            select.select([], [self.fd], [], _ANSWER_SECONDS)
            view = view[self._socket.send(view) :]

    def receive(self):
        return self._socket.recv(64 << 10)


def _connect(job_id):
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(_ANSWER_SECONDS)
    try:
        connection.connect(ADDRESS + job_id.encode())
    except OSError:
        connection.close()
        raise RequestError("JOB_NOT_FOUND", "There is no such job.")
    return _Keeper(connection)


def _ask(link, job_id, question, seconds, data=b""):
    """(the `ok` of the keeper's answer, [(OUT or ERR, bytes)]). Raises RequestError with the keeper's own, and Cancelled."""
    with _connect(job_id) as keeper:
        keeper.resume()
        pieces = [data[at : at + frames.MAX_HOST_PAYLOAD] for at in range(0, len(data), frames.MAX_HOST_PAYLOAD)]
        keeper.send(
            frames.json_frame(frames.REQUEST, 0, question)
            + b"".join(frames.frame(frames.DATA, 0, piece) for piece in pieces)
            + frames.frame(frames.EOF, 0)
        )
        return _answer(link, keeper, time.monotonic() + seconds)


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
            answered, received = frames.split(received + data)
            for kind, _, payload in answered:
                if kind == frames.END:
                    return _result(payload), streams
                streams.append((kind, payload))
            if not data:
                raise RequestError("JOB_NOT_FOUND", "The job has been forgotten.")
        elif remaining <= 0:
            raise RequestError("SANDBOX_LOST", "The job does not answer.")


def _result(payload):
    end = messages.loads(payload)
    if "error" in end:
        raise RequestError(end["error"]["code"], end["error"]["detail"])
    return end["ok"]


OPERATIONS = {
    "job_list": list_jobs,
    "job_stat": stat,
    "job_output": output,
    "job_stdin": stdin,
    "job_signal": send_signal,
    "job_resize": resize,
    "job_delete": delete,
}
