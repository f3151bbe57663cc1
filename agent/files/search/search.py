"""search: finds files by a glob, and their lines by a regular expression.

Some regular expressions take Python longer than anyone waits, and nothing within a process can stop
one. So the search runs in a child of the worker, which the worker kills when its time is over. The
child writes what it finds into memory that both share.
"""

import os
import select
import stat
import time

from files import checks, file_names, paths
from files.search import search_process
from files.search.search_findings import Findings
from processes import killing, waiting
from wire.errors import RequestError

_CHUNK = 64 << 10


def search_files(channel, request):
    deadline = time.monotonic() + request["timeout_ms"] / 1000
    findings = Findings()
    try:
        with paths.resolve(request["path"]) as place:
            top = _open(place, request)
        try:
            ours, theirs = waiting.connected_pair()
            child = _fork(channel, ours, theirs, top, request, findings)
        finally:
            os.close(top)
        try:
            complaint = _wait(channel, ours, deadline)
        except BaseException:
            _kill(child, ours)
            raise
        if complaint is None:
            os.close(ours)
            killing.kill(child)
            # On a busy machine a process may take seconds to end. The answer must not wait for
            # that.
            channel.after_end = lambda: os.waitpid(child, 0)
            return _answer_unfinished(channel, request, findings)
        truncated = _truncated(_end(child, ours), complaint)
        channel.send_output(findings.lines())
        return {"truncated": truncated, "skipped": findings.skips}
    finally:
        findings.close()


def _open(place, request):
    """Returns a descriptor of the directory, or of the file, to search."""
    status = place.stat()
    if stat.S_ISDIR(status.st_mode):
        return place.open_directory()
    checks.check_regular(status)
    # Without a pattern the search needs its name alone.
    return place.open(os.O_PATH if request["pattern"] is None else os.O_RDONLY)


def _fork(channel, ours, theirs, top, request, findings):
    try:
        child = os.fork()
    except OSError:
        os.close(ours)
        os.close(theirs)
        raise
    if child == 0:
        # With a copy of the worker's socket the child would keep the router from seeing its end.
        search_process.become((channel.fd, ours), theirs, top, request, findings)
    os.close(theirs)
    return child


def _wait(channel, ours, deadline):
    """Returns what the child wrote before it ended, which is a complaint or nothing.

    None if its time is over before.
    """
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    poll.register(channel.fd, select.POLLIN)
    received = b""
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return None
        ready = [fd for fd, _ in poll.poll(remaining * 1000 + 1)]
        if channel.fd in ready:
            channel.receive()
        if ours in ready:
            data = os.read(ours, _CHUNK)
            if not data:
                return received.decode("utf-8", "replace")
            received += data


def _kill(child, ours):
    killing.kill(child)
    _end(child, ours)


def _end(child, ours):
    """Waits for the child. Returns its exit code, or minus the signal that ended it."""
    os.close(ours)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _truncated(code, complaint):
    if code in (search_process.DONE, search_process.TRUNCATED):
        return code == search_process.TRUNCATED
    if code == search_process.BAD_PATTERN:
        raise RequestError("INVALID_PATTERN", complaint)
    if code == search_process.OUT_OF_MEMORY:
        raise MemoryError
    raise RequestError("SANDBOX_LOST", "The search's process in the sandbox ended before it was done.")


def _answer_unfinished(channel, request, findings):
    """Answers with what was found before the time was over.

    If that is nothing, it raises SEARCH_TIMED_OUT. An empty answer would say that there is no
    match.
    """
    at = findings.looked_at or request["path"]
    if not findings.matches:
        where = " It was at `%s`." % file_names.shown(os.fsencode(at)) if at else ""
        raise RequestError(
            "SEARCH_TIMED_OUT",
            "The search took too long: give a simpler pattern, or a glob or path that leaves fewer files.%s" % where,
        )
    channel.send_output(findings.lines(unfinished=at))
    return {"truncated": True, "skipped": findings.skips + 1}
