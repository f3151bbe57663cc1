"""exec: runs one command, streams its output, and sees to the end of its processes."""

import os
import select
import time

import frames
import processes
import shell
from streams import Capture, Feed, Passage

_CHUNK = 64 << 10
# What is still read of each stream once the shell has ended: as much as a pipe may hold, and no more, since a background child that
# goes on writing must not hold the answer.
_MAX_DRAIN = 1 << 20
# Between two looks at a tree that is being killed, where no child of ours has ended meanwhile.
_KILL_INTERVAL_MS = 20
_TIMED_OUT_EXIT_CODE = 124
_NICENESS = 10


class Command:
    """One command, until its END and, where it leaves processes behind, until those have ended."""

    def __init__(self, link, wakeup, request):
        self.has_children = False
        self._link = link
        self._wakeup = wakeup
        self._request = request
        self._poll = select.poll()
        self._link_events = 0
        self._captures = [_capture(frames.OUT, request["max_output"]), _capture(frames.ERR, request["max_output"])]
        self._pipes = {}  # read end -> its capture
        self._held = set()  # read ends that are not read, since their captures are full
        self._feed = None
        self._watched_feed = None
        self._status = None  # of the shell, as waitpid gives it
        self._discarding = False

    def run(self):
        """Runs it to the end of its shell or of its time: the `ok` of its END, whose output is queued on the link.

        Raises RequestError or OSError where it cannot be started, Cancelled and ChannelClosed; then nothing of it is left.
        """
        try:
            started = time.monotonic()
            self._start()
            timed_out = not self._run_until(started + self._request["timeout_ms"] / 1000)
            if timed_out:
                self._kill()
            duration = time.monotonic() - started
            self._end_output()
            self._deliver()
        except BaseException:
            self._kill()
            raise
        finally:
            if not self.has_children:
                self._close()
        return {
            "exit_code": _TIMED_OUT_EXIT_CODE if timed_out else _exit_code(self._status),
            "timed_out": timed_out,
            "duration_ms": round(duration * 1000, 3),
            "omitted": {"stdout": self._captures[0].omitted, "stderr": self._captures[1].omitted},
        }

    def linger(self):
        """Stays with the processes that the command left running until all have ended.

        It goes on reading what they write, so that none blocks or dies of it.
        """
        self._poll.unregister(self._link.fd)
        self._link.close()
        while self.has_children:
            self._step(None)

    def _start(self):
        ends = []
        try:
            stdin = 0  # a worker's own is /dev/null
            if self._request["stdin"]:
                stdin, write_end = os.pipe()
                ends.append(stdin)
                self._feed = Feed(write_end)
            outputs = []
            for capture in self._captures:
                read_end, write_end = os.pipe()
                ends.append(write_end)
                outputs.append(write_end)
                self._pipes[read_end] = capture
                self._poll.register(read_end, select.POLLIN)
            self._pid = shell.start(self._request, stdin, *outputs)
            self.has_children = True
            # Within the sandbox's share of the CPU the agent goes first: else a fork bomb would starve what has to end it.
            os.setpriority(os.PRIO_PROCESS, self._pid, _NICENESS)
        finally:
            for end in ends:
                os.close(end)
        self._poll.register(self._wakeup, select.POLLIN)
        self._watch_link()

    # ---- running

    def _run_until(self, deadline):
        """False where the deadline (monotonic, s) came before the shell's end."""
        if self._link.pending:
            self._take_input()
        while self._status is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            self._step(remaining * 1000 + 1)
            self._send_output()
        return True

    def _step(self, timeout_ms):
        for fd, _ in self._poll.poll(timeout_ms):
            if fd == self._link.fd:
                self._take_input()
            elif fd == self._wakeup:
                self._reap()
            elif fd in self._pipes:
                self._read(fd)
            else:
                self._fed(self._feed.write())

    def _reap(self):
        processes.clear_wakeup(self._wakeup)
        statuses, self.has_children = processes.reap()
        self._status = statuses.get(self._pid, self._status)

    def _take_input(self):
        for data in self._link.receive():
            if self._feed is not None:
                self._fed(self._feed.add(data))

    def _fed(self, done):
        if done:
            self._link.grant(done)
        self._watch_feed(self._feed.fd if self._feed.waiting else None)

    def _watch_feed(self, fd):
        if fd != self._watched_feed:
            if self._watched_feed is not None:
                self._poll.unregister(self._watched_feed)
            if fd is not None:
                self._poll.register(fd, select.POLLOUT)
            self._watched_feed = fd

    def _read(self, fd):
        """Reads one pipe once: how many bytes."""
        chunk = os.read(fd, _CHUNK)
        if not chunk:
            self._poll.unregister(fd)
            del self._pipes[fd]
            os.close(fd)
        elif not self._discarding:
            self._pipes[fd].add(chunk)
            if self._pipes[fd].full:
                self._hold(fd)
        return len(chunk)

    def _hold(self, fd):
        if fd not in self._held and self._status is None:
            self._poll.unregister(fd)
            self._held.add(fd)

    def _resume(self):
        """Reads again what there is room for; all of it once the shell has ended, since what a pipe holds is little."""
        for fd in [fd for fd in self._held if self._status is not None or not self._pipes[fd].full]:
            self._held.remove(fd)
            self._poll.register(fd, select.POLLIN)

    # ---- output

    def _send_output(self):
        """Sends what the link and the credit take."""
        if self._link.flush():
            self._queue_output()
            self._link.flush()
        if self._held:
            self._resume()
        self._watch_link()

    def _queue_output(self):
        """Queues what the credit takes; whether that was all there is now."""
        link = self._link
        for capture in self._captures:
            while capture and link.credit:
                payload = capture.take(min(link.credit, frames.MAX_AGENT_PAYLOAD))
                link.credit -= len(payload)
                link.queue(frames.frame(capture.kind, link.request_id, payload))
        return not any(self._captures)

    def _watch_link(self):
        events = select.POLLIN | select.POLLOUT if self._link.unsent else select.POLLIN
        if events != self._link_events:
            self._poll.register(self._link.fd, events)
            self._link_events = events

    def _end_output(self):
        """Takes what the pipes hold now, and lets go of what comes after."""
        if self._feed is not None:
            self._watch_feed(None)
            self._feed.close()
        self._resume()
        budgets = dict.fromkeys(self._pipes, _MAX_DRAIN)
        while True:
            readable = [fd for fd, _ in self._poll.poll(0) if fd in self._pipes and budgets[fd] > 0]
            if not readable:
                break
            for fd in readable:
                budgets[fd] -= self._read(fd)
        self._discarding = True
        for capture in self._captures:
            capture.end()

    def _deliver(self):
        """Queues all output as its credit comes; the last of it is left unsent, to go out in one write with END."""
        if self._link.flush() and self._queue_output():
            return
        self._link.queue(frames.frame(frames.DELIVERING, 0))
        while not (self._link.flush() and self._queue_output()):
            self._link.flush()
            self._watch_link()
            self._step(None)

    # ---- the end

    def _kill(self):
        """Kills every process that descends from the command; returns when none is left."""
        while self.has_children:
            processes.kill_descendants(os.getpid())
            processes.wait_wakeup(self._wakeup, _KILL_INTERVAL_MS)
            self._reap()

    def _close(self):
        for fd in self._pipes:
            os.close(fd)
        self._pipes.clear()
        if self._feed is not None:
            self._feed.close()


def _capture(kind, limit):
    return Passage(kind) if limit is None else Capture(kind, limit)


def _exit_code(status):
    """As a shell gives it in $?."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
