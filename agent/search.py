"""search: files by a glob, and their lines by a regular expression.

Python's regular expressions go back and try again, some for longer than the world will last, and nothing in a process can stop them. So
the search runs in a child of the worker, which is killed when its time is over.
"""

import gc
import os
import re
import resource
import select
import signal
import stat
import time

import file_names
import globs
import messages
import paths
import processes
import walking
from errors import RequestError

_NICENESS = 10
_MEMORY_BYTES = 256 << 20  # of address space
_CHUNK = 64 << 10
_MAX_DEPTH = 100
_MAX_FILE_BYTES = 8 << 20
_MAX_LINE_BYTES = 64 << 10
_SHOWN_CHARACTERS = 500
_BINARY_PROBE_BYTES = 8 << 10
_MAX_ANSWER_BYTES = 4 << 20

_DONE, _TRUNCATED, _BAD_PATTERN, _OUT_OF_MEMORY, _FAILED = 0, 10, 11, 12, 13


def search(link, request):
    deadline = time.monotonic() + request["timeout_ms"] / 1000
    with paths.resolve(request["path"]) as place:
        directory = place.open_directory()
    try:
        ours, theirs = processes.connected_pair()
        child = _fork(link, ours, theirs, directory, request)
    finally:
        os.close(directory)
    try:
        complaint = _relay(link, ours, deadline)
    except BaseException:
        processes.kill(child)
        _end(child, ours)
        raise
    return _outcome(_end(child, ours), complaint)


def _fork(link, ours, theirs, directory, request):
    try:
        child = os.fork()
    except OSError:
        os.close(ours)
        os.close(theirs)
        raise
    if child == 0:
        _become_search(link, ours, theirs, directory, request)
    os.close(theirs)
    return child


def _relay(link, ours, deadline):
    """Sends on what the child finds, until it has ended: what it said last, if that was a complaint."""
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    poll.register(link.fd, select.POLLIN)
    received = bytearray()
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise RequestError("SEARCH_TIMED_OUT", "The search took too long: give a simpler pattern, or a glob or path that leaves fewer files.")
        ready = [fd for fd, _ in poll.poll(remaining * 1000 + 1)]
        if link.fd in ready:
            link.receive()
        if ours in ready:
            data = os.read(ours, _CHUNK)
            received += data
            whole = received.rfind(b"\n") + 1
            if whole:
                link.send_output(received[:whole])
                del received[:whole]
            if not data:
                return received.decode("utf-8", "replace")


def _end(child, ours):
    """Its exit code, or minus the signal that ended it."""
    os.close(ours)
    return _exit_code(os.waitpid(child, 0)[1])


def _exit_code(status):
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _outcome(code, complaint):
    if code in (_DONE, _TRUNCATED):
        return {"truncated": code == _TRUNCATED}
    if code == _BAD_PATTERN:
        raise RequestError("INVALID_PATTERN", complaint)
    if code == _OUT_OF_MEMORY:
        raise MemoryError
    raise RequestError("SANDBOX_LOST", "The search's process in the sandbox ended before it was done.")


# ---- in the child


def _become_search(link, ours, theirs, directory, request):
    code = _FAILED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # With a copy of the worker's socket it would keep the router from seeing the worker's end.
        os.close(link.fd)
        os.close(ours)
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        gc.freeze()
        code = _Search(theirs, directory, request).run()
    except MemoryError:
        code = _OUT_OF_MEMORY
    finally:
        os._exit(code)


class _Search:
    def __init__(self, out, directory, request):
        self._out = out
        self._directory = directory
        self._request = request
        self._found = 0
        self._sent = 0
        self._unsent = []

    def run(self):
        """An exit code."""
        try:
            wanted = globs.matcher(self._request["glob"]) if self._request["glob"] is not None else lambda path: True
        except (globs.BadGlob, re.error, RecursionError, OverflowError) as error:
            return self._complain("The glob cannot be read: %s." % error)
        try:
            pattern = re.compile(self._request["pattern"]) if self._request["pattern"] is not None else None
        except (re.error, RecursionError, OverflowError) as error:
            return self._complain("The pattern is no regular expression as Python has them: %s." % error)
        whole = self._walk(wanted, pattern)
        self._flush()
        return _DONE if whole else _TRUNCATED

    def _complain(self, text):
        os.write(self._out, text.encode("utf-8", "replace").replace(b"\n", b" "))
        return _BAD_PATTERN

    def _walk(self, wanted, pattern):
        """Whether all that there is was found, and not only as much as was asked for."""
        prefix = self._request["path"] + "/" if self._request["path"] else ""
        for path, name, status, directory in walking.entries(self._directory, _MAX_DEPTH):
            if not stat.S_ISREG(status.st_mode) or not wanted(path):
                continue
            if pattern is None:
                if not self._take(dict([file_names.member("path", prefix + path)])):
                    return False
                continue
            for number, line in _lines(name, directory):
                if pattern.search(line) and not self._take(dict([file_names.member("path", prefix + path)], line_number=number, line=line[:_SHOWN_CHARACTERS])):
                    return False
        return True

    def _take(self, match):
        """False where it is one too many."""
        if self._found == self._request["limit"]:
            return False
        text = messages.dumps(match)
        if self._sent + len(text) > _MAX_ANSWER_BYTES:
            return False
        self._found += 1
        self._sent += len(text)
        self._unsent.append(text + "\n")
        if len(self._unsent) >= 100:
            self._flush()
        return True

    def _flush(self):
        data = memoryview("".join(self._unsent).encode())
        self._unsent = []
        while data:
            data = data[os.write(self._out, data) :]


def _lines(name, directory):
    """(number, text) of the lines of a file, without their ends; none of one that is not text, or cannot be read."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return
    with open(file, "rb", buffering=_CHUNK) as stream:
        if not stat.S_ISREG(os.fstat(file).st_mode) or b"\0" in stream.peek(_BINARY_PROBE_BYTES)[:_BINARY_PROBE_BYTES]:
            return
        number = 0
        scanned = 0
        while scanned < _MAX_FILE_BYTES:
            line = stream.readline(_MAX_LINE_BYTES)
            if not line:
                return
            number += 1
            scanned += len(line) if line.endswith(b"\n") else len(line) + _skip_line(stream)
            yield number, _without_end(line).decode("utf-8", "replace")


def _skip_line(stream):
    """How many bytes the rest of the line has, as far as they count."""
    skipped = 0
    while skipped < _MAX_FILE_BYTES:
        rest = stream.readline(_MAX_LINE_BYTES)
        skipped += len(rest)
        if not rest or rest.endswith(b"\n"):
            break
    return skipped


def _without_end(line):
    if line.endswith(b"\n"):
        line = line[:-1]
    return line[:-1] if line.endswith(b"\r") else line
