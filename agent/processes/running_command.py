"""A running command: its shell, its streams, and every process that descends from it."""

import os
import select
import sys

import _signal as signal  # see waiting.py

from processes import killing, shell, waiting
from processes.streams import Feed

_CHUNK = 64 << 10
# So many bytes are still read of each stream after the shell has ended. A pipe holds no more. A
# background child that goes on writing must not delay the answer.
_MAX_DRAIN_BYTES = 1 << 20
# The time between two looks at a tree that is being killed, if no child ends before.
_KILL_INTERVAL_MS = 20
_NICENESS = 10


class RunningCommand:
    """One command, from its start until its owner is done with it.

    A process has one at most, because it takes all children of the process for the command's. The
    owner may add descriptors of its own to those that `step` serves.
    """

    def __init__(self, wakeup, captures):
        self.has_children = False
        self.status = None  # of the shell, as waitpid gives it
        self.pid = None
        self._captures = captures  # of stdout and stderr
        self._wakeup = wakeup
        self._poll = select.poll()
        self._handlers = {}  # by descriptor: the function to call with it when it is ready
        self._pipes = {}  # by read end: its capture
        self.held = set()  # read ends that are not read now, because their captures are full
        self._feed = None
        self._fed = None
        self._watched_feed = None
        self._discarding = False
        self._terminal = None
        self._slave = None

    def start(self, request, fed=None):
        """Starts the command.

        `fed` is called with a number of bytes of input when the command has taken them or will not
        any more. If it is None, stdin is empty. Raises RequestError or OSError.
        """
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
                # A command can open its own output for reading, and take what poll() has reported.
                os.set_blocking(read_end, False)
                self.watch(read_end, select.POLLIN, self._read)
            self.pid = shell.start_shell(request, stdin, *outputs)
            self.has_children = True
            # Within the sandbox's share of the CPU the agent goes first. Else a fork bomb would
            # starve the process that has to end it.
            os.setpriority(os.PRIO_PROCESS, self.pid, _NICENESS)
        finally:
            for end in ends:
                os.close(end)
        self.watch(self._wakeup, select.POLLIN, self._reap)

    def start_on_terminal(self, request, columns, rows):
        """As `start`, with a pseudo-terminal for stdin, stdout and stderr.

        All output goes to the first capture.
        """
        # The slave stays open here until the command has ended. If no process has it open, a reader
        # of the master sees the end. But a program may close it and open it again.
        self._terminal, self._slave = os.openpty()
        self._pipes[self._terminal] = self._captures[0]
        self.watch(self._terminal, select.POLLIN, self._read)
        self.resize(columns, rows)
        self._feed = Feed(os.dup(self._terminal))
        self._fed = _ignore
        self.pid = shell.start_shell_on_terminal(request, os.ttyname(self._slave))
        self.has_children = True
        os.setpriority(os.PRIO_PROCESS, self.pid, _NICENESS)
        self.watch(self._wakeup, select.POLLIN, self._reap)

    def resize(self, columns, rows):
        """Sets the size of the terminal. Its programs get SIGWINCH.

        The kernel sends that signal. gVisor's does not, so this does.
        """
        import fcntl  # a worker that runs commands does not need these
        import termios

        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, rows.to_bytes(2, sys.byteorder) + columns.to_bytes(2, sys.byteorder) + bytes(4))
        try:
            os.tcgetpgrp(self._terminal)
        except OSError:  # a kernel that knows no foreground of a terminal does not signal it either
            killing.signal_session(self.pid, signal.SIGWINCH)

    def watch(self, fd, events, handler):
        """Makes `step` call the handler with the descriptor when it is ready.

        Call it again to change the events.
        """
        self._poll.register(fd, events)
        self._handlers[fd] = handler

    def unwatch(self, fd):
        self._poll.unregister(fd)
        del self._handlers[fd]

    def step(self, timeout_ms):
        """Waits until a watched descriptor is ready, or for `timeout_ms`. Calls the handlers."""
        for fd, events in self._poll.poll(timeout_ms):
            if events == select.POLLHUP and fd in self._pipes:
                self._end_pipe(fd)  # there is nothing to read: a read would only find the end
                continue
            handler = self._handlers.get(fd)
            if handler is not None:
                handler(fd)

    # ---- input

    @property
    def input_open(self):
        return self._feed is not None and self._feed.fd is not None and not self._feed.ended

    @property
    def unread_input(self):
        """Returns how many bytes of input the command has not taken yet."""
        return len(self._feed)

    def add_input(self, data):
        """Takes a piece of input, or None for its end. Ignores it if the command has no stdin."""
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
        """Reads one pipe once. Returns how many bytes."""
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return 0
        except OSError:  # no process has the terminal open
            chunk = b""
        if not chunk:
            self._end_pipe(fd)
        elif not self._discarding:
            self._pipes[fd].add(chunk)
            if self._pipes[fd].full and self.status is None:
                self.unwatch(fd)
                self.held.add(fd)
        return len(chunk)

    def _end_pipe(self, fd):
        self.unwatch(fd)
        del self._pipes[fd]
        os.close(fd)

    def resume(self):
        """Watches held pipes again if their captures have room.

        Once the shell has ended it watches all of them, because a pipe holds little.
        """
        for fd in [fd for fd in self.held if self.status is not None or not self._pipes[fd].full]:
            self.held.remove(fd)
            self.watch(fd, select.POLLIN, self._read)

    def end_output(self):
        """Takes what the pipes hold now. What comes later is dropped.

        Call it when the shell has ended.
        """
        if self._feed is not None:
            self._watch_feed(None)
            self._feed.close()
        self._close_slave()
        self.resume()
        budgets = dict.fromkeys(self._pipes, _MAX_DRAIN_BYTES)
        while self._pipes:
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
        waiting.clear_wakeup(self._wakeup)
        statuses, self.has_children = waiting.reap()
        self.status = statuses.get(self.pid, self.status)

    def kill(self):
        """Kills every process that descends from the command. Returns when none is left."""
        while self.has_children:
            killing.kill_descendants(os.getpid())
            waiting.wait_wakeup(self._wakeup, _KILL_INTERVAL_MS)
            self._reap(None)

    def close(self):
        """Closes the streams that are open."""
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
    """Returns a status of waitpid as a shell gives it in $?."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
