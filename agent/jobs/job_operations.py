"""The job operations of PROTOCOL.md. They serve terminals too, which are jobs with a terminal."""

import time

from jobs import keeper_client
from jobs.keeper import MAX_UNREAD_INPUT, Keeper
from processes import killing, process_table
from wire import messages
from wire.errors import RequestError

_ANSWER_SECONDS = 5.0
_LIST_SECONDS = 10.0  # for all jobs together
_RETRY_SECONDS = 0.02
_KILL_SECONDS = 5.0


def start_job(channel, request):
    """Starts the job's command. The worker becomes the job's keeper after END."""
    stdin = _receive_stdin(channel) if request["stdin"] else None
    keeper = Keeper(channel, request)
    keeper.start_command(request, stdin, request["open_stdin"])
    channel.staying = keeper
    return {}


def list_jobs(channel, request):
    """If a keeper is there and does not answer in time, its line says that it is silent.

    Its job may be running.
    """
    deadline = time.monotonic() + _LIST_SECONDS
    for job_id in keeper_client.listening_jobs():
        try:
            result = _ask_account(channel, job_id, min(_ANSWER_SECONDS, deadline - time.monotonic()))
        except RequestError as error:
            if error.code == "JOB_NOT_FOUND":
                continue  # it has been deleted since
            result = {"job_id": job_id, "silent": True}
        channel.send_output(messages.dumps(result).encode() + b"\n")
    return {}


def stat_job(channel, request):
    """Sends the command before END, because END has no room for a long one."""
    result = _ask_account(channel, request["job_id"], _ANSWER_SECONDS)
    channel.send_output(messages.dumps(result.pop("command", "")).encode())
    return result


def _ask_account(channel, job_id, seconds):
    """Returns what a keeper tells of its job."""
    result, _ = keeper_client.ask(channel, job_id, {"op": "stat"}, seconds)
    if result.get("job_id") != job_id:
        raise keeper_client.senseless_answer()
    return result


def read_output(channel, request):
    question = {"op": "output", "offsets": request["offsets"], "limit": request["limit"], "wait_ms": request["wait_ms"]}
    result, streams = keeper_client.ask(channel, request["job_id"], question, _ANSWER_SECONDS + request["wait_ms"] / 1000)
    for kind, data in streams:
        channel.send_output(data, kind)
    return result


def stream_output(channel, request):
    """Sends a line of JSON, then the bytes of one stream as they come."""
    question = {"op": "stream", **{name: request[name] for name in ("stream", "offset", "limit", "follow_ms")}}
    seconds = _ANSWER_SECONDS + request["follow_ms"] / 1000
    return keeper_client.ask(channel, request["job_id"], question, seconds, take=channel.send_output)[0]


def write_stdin(channel, request):
    data = _receive_stdin(channel)
    return keeper_client.ask(channel, request["job_id"], {"op": "stdin", "eof": request["eof"]}, _ANSWER_SECONDS, data)[0]


def send_signal(channel, request):
    return keeper_client.ask(channel, request["job_id"], {"op": "signal", "signal": request["signal"]}, _ANSWER_SECONDS)[0]


def resize_terminal(channel, request):
    question = {"op": "resize", "columns": request["columns"], "rows": request["rows"]}
    return keeper_client.ask(channel, request["job_id"], question, _ANSWER_SECONDS)[0]


def delete_job(channel, request):
    """Kills the job's processes and its keeper.

    The worker kills them itself, so a keeper that a command has stopped does not matter.
    """
    pid = keeper_client.find_pid(channel, request["job_id"], _ANSWER_SECONDS)
    deadline = time.monotonic() + _KILL_SECONDS
    while killing.kill_descendants(pid) and time.monotonic() < deadline:
        killing.resume(pid)  # the keeper reaps them
        time.sleep(_RETRY_SECONDS)
    killing.kill(pid)
    while process_table.exists(pid) and time.monotonic() < deadline:
        time.sleep(_RETRY_SECONDS)
    return {}


def _receive_stdin(channel):
    data = bytearray()
    while True:
        for piece in channel.wait_input():
            if piece is None:
                return bytes(data)
            data += piece
            if len(data) > MAX_UNREAD_INPUT:
                raise RequestError("JOB_STDIN_FULL", "At most %d bytes of input are taken at a time." % MAX_UNREAD_INPUT)
            channel.grant(len(piece))
