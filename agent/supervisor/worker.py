"""A worker: a process of the agent that serves one request at a time."""

import os

from files import file_names
from processes import execute, processes
from wire import frames, messages
from wire.errors import ChannelClosed, RequestError, end_code
from wire.link import Link


def run(fd):
    """Serves requests from the router until its socket closes. To be called in a process fresh from fork."""
    os.setsid()  # so that what is signalled to another agent process's group never meets this one
    processes.become_subreaper()
    processes.volunteer_for_oom_killer()
    wakeup = processes.open_wakeup()
    link = Link(fd)
    try:
        while True:
            answer, command = _serve(link, wakeup, link.next_request())
            if command is not None and command.stays:
                _stay_with(command, link, answer)
                return
            if link.afterwards is not None:
                link.finish(answer)
                answer = b""
                link.afterwards()
                link.afterwards = None
            link.finish(answer + frames.frame(frames.FREE, 0))
    except ChannelClosed:
        return


def _stay_with(command, link, answer):
    # Named before it answers: of what a lost agent leaves, a new one spares background workers alone.
    processes.set_name(processes.BACKGROUND_NAME)
    try:
        link.finish(answer + frames.frame(frames.BACKGROUND, 0))
    except ChannelClosed:
        pass  # the command has finished, and what it left in the background lives on all the same
    command.linger()


def _serve(link, wakeup, payload):
    """(the END frame, the Command where it was one that ran)"""
    command = None
    try:
        request = messages.loads(payload)
        if request["op"] == "exec":
            command = execute.Command(link, wakeup, request)
            result = command.run()
        elif request["op"] == "job_start":
            from jobs import job_calls

            command = job_calls.start(link, wakeup, request)
            result = {}
        elif request["op"] == "claim":
            from supervisor import claim

            result = claim.claim(link, request)
        else:
            file_names.restore(request)
            result = _operation(request["op"])(link, request)
        return _fitting(frames.ok_frame(link.request_id, result), link.request_id), command
    except ChannelClosed:
        raise
    except Exception as error:
        return _fitting(frames.error_frame(link.request_id, *end_code(error)), link.request_id), None


def _fitting(end, request_id):
    """The END, or another in the place of one so large that the host would close the channel over it, and end every call of the session."""
    if len(end) <= frames.HEADER.size + frames.MAX_AGENT_PAYLOAD:
        return end
    return frames.error_frame(request_id, "INTERNAL_ERROR", "The sandbox's agent gave an answer that is too large.")


def _operation(op):
    # Compiled when a worker first needs them: many sessions run commands alone.
    if op.startswith("job_"):
        from jobs import job_calls as module
    else:
        from files import files as module

    if op not in module.OPERATIONS:
        raise RequestError("INTERNAL_ERROR", "The agent has no such operation.")
    return module.OPERATIONS[op]
