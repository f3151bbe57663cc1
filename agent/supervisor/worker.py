"""A worker: a process of the agent that serves one request at a time."""

import os

import operations
from files import file_names
from processes import execute  # noqa: F401  compiled once, before the router forks its workers
from processes import disk_limits, own_process, waiting
from wire import frames, messages
from wire.errors import ChannelClosed, end_code
from wire.worker_channel import WorkerChannel


def run_worker(fd):
    """Serves requests until the router's socket closes. Call it in a process fresh from fork."""
    os.setsid()  # a signal to the process group of another agent process then never meets this one
    own_process.become_subreaper()
    own_process.volunteer_for_oom_killer()
    channel = WorkerChannel(fd, waiting.open_wakeup())
    try:
        while True:
            end = _serve_request(channel, channel.next_request())
            if channel.staying is not None:
                _stay_with(channel.staying, channel, end)
                return
            if channel.after_end is not None:
                channel.finish(end)
                end = b""
                channel.after_end()
                channel.after_end = None
            channel.finish(end + frames.frame(frames.FREE, 0))
    except ChannelClosed:
        return


def _stay_with(command, channel, end):
    # The worker takes the name before it answers. If the agent is lost, the next agent kills all of
    # its processes but those of this name.
    own_process.set_name(own_process.BACKGROUND_NAME)
    try:
        channel.finish(end + frames.frame(frames.BACKGROUND, 0))
    except ChannelClosed:
        pass  # the command has finished, and what it left in the background lives on all the same
    command.linger()


def _serve_request(channel, payload):
    """Returns the END frame."""
    try:
        request = messages.loads(payload)
        file_names.restore(request)
        try:
            result = operations.find_handler(request["op"])(channel, request)
        finally:
            if request["op"] in operations.CHANGING_FILES:
                disk_limits.tell_written()
        return _bounded(frames.ok_frame(channel.request_id, result), channel.request_id)
    except ChannelClosed:
        raise
    except Exception as error:
        channel.staying = None
        return _bounded(frames.error_frame(channel.request_id, *end_code(error)), channel.request_id)


def _bounded(end, request_id):
    """Returns the END, or an error in place of one that is too large.

    The host would close the channel over it, which would end every call of the session.
    """
    if len(end) <= frames.HEADER.size + frames.MAX_AGENT_PAYLOAD:
        return end
    return frames.error_frame(request_id, "INTERNAL_ERROR", "The sandbox's agent gave an answer that is too large.")
