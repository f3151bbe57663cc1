"""The process of a search. It goes through the files, writes down what it finds, and ends."""

import gc
import os
import re
import resource
import signal
import stat

from files import skips, walking
from files.search import globs, search_pattern, search_text

DONE, TRUNCATED, BAD_PATTERN, OUT_OF_MEMORY, FAILED = 0, 10, 11, 12, 13

_NICENESS = 10
_MEMORY_BYTES = 256 << 20  # of address space
_MAX_DEPTH = 100
_SHOWN_CHARACTERS = 500

_LEFT_OUT = {walking.TOO_DEEP: skips.TOO_DEEP, walking.DENIED: skips.NOT_READABLE}


def become(closed, out, top, request, found):
    """Makes this process, fresh from fork, a search. It exits with one of the codes above.

    With BAD_PATTERN it writes the reason to `out`. `closed` are descriptors that it closes. `top`
    is a descriptor of the directory or file to search. `found` is the Findings.
    """
    code = FAILED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in closed:
            os.close(fd)
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        gc.freeze()
        code = DONE if _Search(top, request, found).run() else TRUNCATED
    except search_pattern.BadPattern as error:
        os.write(out, str(error).encode("utf-8", "replace").replace(b"\n", b" "))
        code = BAD_PATTERN
    except MemoryError:
        code = OUT_OF_MEMORY
    finally:
        os._exit(code)


class _Search:
    def __init__(self, top, request, found):
        self._top = top
        self._path = request["path"]
        self._prefix = self._path + "/" if self._path else ""
        self._glob = _glob(request)
        self._pattern = None if request["pattern"] is None else search_pattern.Pattern(request["pattern"])
        self._limit = request["limit"]
        self._found = found
        self._real_top = os.readlink("/proc/self/fd/%d" % top)

    def run(self):
        """Returns whether it found all, and not only as much as was asked for."""
        if not stat.S_ISDIR(os.fstat(self._top).st_mode):
            self._found.look_at(self._path)
            return self._look(self._path, lambda: self._top)
        for below, name, status, directory in walking.entries(self._top, _MAX_DEPTH, self._glob.may_match_below, self._leave_out):
            if stat.S_ISLNK(status.st_mode):
                self._skip_link(below, name, directory)
            elif stat.S_ISREG(status.st_mode) and self._glob.matches(below):
                path = self._prefix + below
                self._found.look_at(path)
                if not self._look(path, lambda: _open(name, directory)):
                    return False
        return True

    def _look(self, path, opened):
        """Returns False if there is a match too many. `opened` returns a descriptor of the file."""
        if self._pattern is None:
            return self._take(path)
        try:
            file = opened()
        except FileNotFoundError:
            return True
        except OSError:
            self._found.add_skip(path, skips.NOT_READABLE)
            return True
        try:
            text = search_text.TextFile(file)
            return self._look_at_binary(path, text) if text.is_binary else self._look_at_text(path, text)
        except OSError:
            self._found.add_skip(path, skips.NOT_READABLE)
            return True
        finally:
            os.close(file)

    def _look_at_text(self, path, text):
        missed = set()
        for number, readings, whole in text.lines(self._pattern.literal):
            if not whole:
                missed.add(skips.LINE_TOO_LONG)
            try:
                shown = self._shown(readings)
            except MemoryError:
                missed.add(skips.OUT_OF_MEMORY)
                continue
            if shown is not None and not self._take(path, line_number=number, line=shown):
                return False
        for reason in sorted(missed):
            self._found.add_skip(path, reason)
        return True

    def _look_at_binary(self, path, text):
        """Skips a binary file, whose lines are not shown, if the pattern is or may be in it."""
        lines = text.lines(self._pattern.literal)
        if text.is_large() or any(not whole or self._shown(readings) is not None for _, readings, whole in lines):
            self._found.add_skip(path, skips.BINARY)
        return True

    def _shown(self, readings):
        """Returns the beginning of a line, or None if the pattern is not in it."""
        for line in readings:
            if self._pattern.find(line) is not None:
                return line[:_SHOWN_CHARACTERS]
        return None

    def _skip_link(self, below, name, directory):
        """Follows no link. Reports one that leads out of the searched directory.

        What lies in the searched directory is searched under its own name.
        """
        try:
            mode = os.stat(name, dir_fd=directory).st_mode
            target = os.path.realpath("/proc/self/fd/%d/%s" % (directory, name))
        except OSError:
            # It leads nowhere, or is no link any more: realpath fails in a race with a change.
            return
        meant = self._glob.matches(below) if stat.S_ISREG(mode) else stat.S_ISDIR(mode) and self._glob.may_match_below(below)
        if not meant:
            return
        if target != self._real_top and not target.startswith(self._real_top + "/"):
            self._found.add_skip(self._prefix + below, skips.LINK)

    def _leave_out(self, below, why):
        if self._glob.matches(below) or self._glob.may_match_below(below):
            self._found.add_skip(self._prefix + below, _LEFT_OUT[why])

    def _take(self, path, **more):
        return self._found.matches < self._limit and self._found.add_match(path, **more)


def _glob(request):
    if request["glob"] is None:
        return globs.Everything
    try:
        return globs.Glob(request["glob"], request["glob_of"], request["path"])
    except (globs.BadGlob, re.error, RecursionError, OverflowError) as error:
        raise search_pattern.BadPattern("The glob cannot be read: %s." % error)


def _open(name, directory):
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=directory)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise FileNotFoundError  # a FIFO or device has taken its place
