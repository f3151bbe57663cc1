"""A running command: its shell, its streams, and every process that descends from it."""

import os
import select
import sys

import _signal as signal  # see processes/processes.py

from processes import processes, shell
from processes.streams import Feed

_CHUNK = 64 << 10
# What is still read of each stream once the shell has ended: as much as a pipe may hold, and no more, since a background child that
# goes on writing must not hold the answer.
_MAX_DRAIN = 1 << 20
# Between two looks at a tree that is being killed, where no child of ours has ended meanwhile.
_KILL_INTERVAL_MS = 20
_NICENESS = 10


class Running:
    """One command, from its start until its owner is done with it. At most one in a process, whose children all belong to it.

    Its owner's own descriptors are served by the same `step`.
    """

    def __init__(self, wakeup, captures):
        self.has_children = False
        self.status = None  # of the shell, as waitpid gives it
        self.pid = None
        self._captures = captures  # of stdout and stderr
        self._wakeup = wakeup
        self._poll = select.poll()
        self._handlers = {}  # descriptor -> called with it when it is ready
        self._pipes = {}  # read end -> its capture
        self.held = set()  # read ends that are not read, since their captures are full
        self._feed = None
        self._fed = None
        self._watched_feed = None
        self._discarding = False
        self._terminal = None
        self._slave = None

    def start(self, request, fed=None):
        """`fed`: called with the number of bytes of input that are done with; None where stdin is empty."""
        ends = []
        try:
            stdin = 0  # a worker's own is /dev/null
            if fed is not None:
                stdin, write_end = os.pipe()
                ends.append(stdin)
                self._feed = Feed(write_end)
                self._fed = fed
            outputs = []
            for capture in self._captures:
                read_end, write_end = os.pipe()
                ends.append(write_end)
                outputs.append(write_end)
                self._pipes[read_end] = capture
                # A command can open its own output for reading, and take what poll has told us of.
                os.set_blocking(read_end, False)
                self.watch(read_end, select.POLLIN, self._read)
            self.pid = shell.start(request, stdin, *outputs)
            self.has_children = True
            # Within the sandbox's share of the CPU the agent goes first: else a fork bomb would starve what has to end it.
            os.setpriority(os.PRIO_PROCESS, self.pid, _NICENESS)
        finally:
            for end in ends:
                os.close(end)
        self.watch(self._wakeup, select.POLLIN, self._reap)

    def start_on_terminal(self, request, columns, rows):
        """As `start`, with a pseudo-terminal for stdin, stdout and stderr: all output is the first capture's."""
        # The slave stays open with us until the command has ended: a terminal that no process has open would be one at its end to whoever
        # reads the master, and a program may let go of it and come back.
        self._terminal, self._slave = os.openpty()
        self._pipes[self._terminal] = self._captures[0]
        self.watch(self._terminal, select.POLLIN, self._read)
        self.resize(columns, rows)
        self._feed = Feed(os.dup(self._terminal))
        self._fed = _ignore
        self.pid = shell.start_on_terminal(request, os.ttyname(self._slave))
        self.has_children = True
        os.setpriority(os.PRIO_PROCESS, self.pid, _NICENESS)
        self.watch(self._wakeup, select.POLLIN, self._reap)

    def resize(self, columns, rows):
        """Of the terminal, whose programs are told: by the kernel, or where it is gVisor's by us."""
        import fcntl  # of no use to a worker that runs commands
        import termios

        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, rows.to_bytes(2, sys.byteorder) + columns.to_bytes(2, sys.byteorder) + bytes(4))
        try:
            os.tcgetpgrp(self._terminal)
        except OSError:  # one that does not know a terminal's foreground does not signal it either
            processes.signal_session(self.pid, signal.SIGWINCH)

    def watch(self, fd, events, handler):
        """Has `step` call the handler, with the descriptor, when it is ready. Anew for other events."""
        self._poll.register(fd, events)
        self._handlers[fd] = handler

    def unwatch(self, fd):
        self._poll.unregister(fd)
        del self._handlers[fd]

    def step(self, timeout_ms):
        """Waits for whatever is next, and sees to it."""
        for fd, _ in self._poll.poll(timeout_ms):
            handler = self._handlers.get(fd)
            if handler is not None:
                handler(fd)

    # ---- input

    @property
    def input_open(self):
        return self._feed is not None and self._feed.fd is not None and not self._feed.ended

    @property
    def unread_input(self):
        """Bytes that the command has not taken yet."""
        return len(self._feed)

    def add_input(self, data):
        """Takes a piece, or None for the end; nothing where the command has no stdin."""
        if self._feed is not None:
            self._note_fed(self._feed.add(data))

    def _write_input(self, _):
        self._note_fed(self._feed.write())

    def _note_fed(self, done):
        if done:
            self._fed(done)
        self._watch_feed(self._feed.fd if self._feed.waiting else None)

    def _watch_feed(self, fd):
        if fd != self._watched_feed:
            if self._watched_feed is not None:
                self.unwatch(self._watched_feed)
            if fd is not None:
                self.watch(fd, select.POLLOUT, self._write_input)
            self._watched_feed = fd

    # ---- output

    def _read(self, fd):
        """Reads one pipe once: how many bytes."""
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return 0
        except OSError:  # of a terminal that no process has open
            chunk = b""
        if not chunk:
            self.unwatch(fd)
            del self._pipes[fd]
            os.close(fd)
        elif not self._discarding:
            self._pipes[fd].add(chunk)
            if self._pipes[fd].full and self.status is None:
                self.unwatch(fd)
                self.held.add(fd)
        return len(chunk)

    def resume(self):
        """Reads again what there is room for; all of it once the shell has ended, since what a pipe holds is little."""
        for fd in [fd for fd in self.held if self.status is not None or not self._pipes[fd].full]:
            self.held.remove(fd)
            self.watch(fd, select.POLLIN, self._read)

    def end_output(self):
        """To be called when the shell has ended: takes what the pipes hold now, and lets go of what comes after."""
        if self._feed is not None:
            self._watch_feed(None)
            self._feed.close()
        self._close_slave()
        self.resume()
        budgets = dict.fromkeys(self._pipes, _MAX_DRAIN)
        while True:
            readable = [fd for fd, _ in self._poll.poll(0) if fd in self._pipes and budgets[fd] > 0]
            if not readable:
                break
            for fd in readable:
                size = self._read(fd)
                budgets[fd] = budgets[fd] - size if size else 0
        self._discarding = True
        for capture in self._captures:
            capture.end()

    # ---- processes

    def _reap(self, _):
        processes.clear_wakeup(self._wakeup)
        statuses, self.has_children = processes.reap()
        self.status = statuses.get(self.pid, self.status)

    def kill(self):
        """Kills every process that descends from the command; returns when none is left."""
        while self.has_children:
            processes.kill_descendants(os.getpid())
            processes.wait_wakeup(self._wakeup, _KILL_INTERVAL_MS)
            self._reap(None)

    def close(self):
        """Closes what is open of its streams."""
        for fd in self._pipes:
            os.close(fd)
        self._pipes.clear()
        if self._feed is not None:
            self._feed.close()
        self._close_slave()

    def _close_slave(self):
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None


def _ignore(done):
    pass


def exit_code(status):
    """As a shell gives it in $?."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
