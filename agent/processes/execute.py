"""exec: runs one command for a request, sends its output, and sees to the end of its processes."""

import select
import time

from processes import memory
from processes.running import Running, exit_code
from processes.streams import Capture, Passage
from wire import frames

_TIMED_OUT_EXIT_CODE = 124
# After output of a command whose output is streamed: what one that writes much adds meanwhile goes out in one frame instead of ten.
_PAUSE_SECONDS = 0.00025


class Command:
    """One command, until its END and, where it leaves processes behind, until those have ended."""

    def __init__(self, link, wakeup, request):
        self._link = link
        self._request = request
        self._link_events = 0
        self._captures = [_capture(frames.OUT, request["max_output"]), _capture(frames.ERR, request["max_output"])]
        self._running = Running(wakeup, self._captures)

    @property
    def stays(self):
        """Whether its worker has to stay with it after the answer."""
        return self._running.has_children

    def run(self):
        """Runs it to the end of its shell or of its time: the `ok` of its END, whose output is queued on the link.

        Raises RequestError or OSError where it cannot be started, Cancelled and ChannelClosed; then nothing of it is left.
        """
        running = self._running
        try:
            started = time.monotonic()
            kills = memory.kills()
            running.start(self._request, self._link.grant if self._request["stdin"] else None)
            self._watch_link()
            timed_out = not self._run_until(started + self._request["timeout_ms"] / 1000)
            if timed_out:
                running.kill()
            duration = time.monotonic() - started
            oom_killed = memory.kills() > kills
            running.end_output()
            self._deliver()
        except BaseException:
            running.kill()
            raise
        finally:
            if not running.has_children:
                running.close()
        return {
            "exit_code": _TIMED_OUT_EXIT_CODE if timed_out else exit_code(running.status),
            "timed_out": timed_out,
            "oom_killed": oom_killed,
            "duration_ms": round(duration * 1000, 3),
            "omitted": {"stdout": self._captures[0].omitted, "stderr": self._captures[1].omitted},
        }

    def linger(self):
        """Stays with the processes that the command left running until all have ended.

        It goes on reading what they write, so that none blocks or dies of it.
        """
        self._running.unwatch(self._link.fd)
        self._link.close()
        while self._running.has_children:
            self._running.step(None)

    def _run_until(self, deadline):
        """False where the deadline (monotonic, s) came before the shell's end."""
        if self._link.pending:
            self._take_input(None)
        while self._running.status is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            self._running.step(remaining * 1000 + 1)
            if self._send_output() and self._request["max_output"] is None:
                time.sleep(_PAUSE_SECONDS)
        return True

    def _take_input(self, _):
        for data in self._link.receive():
            self._running.add_input(data)

    def _send_output(self):
        """Sends what the link and the credit take; whether there was anything."""
        any_output = any(self._captures)
        if self._link.flush():
            self._queue_output()
            self._link.flush()
        if self._running.held:
            self._running.resume()
        self._watch_link()
        return any_output

    def _queue_output(self):
        """Queues what the credit takes; whether that was all there is now."""
        link = self._link
        for capture in self._captures:
            while capture and link.credit:
                link.queue_output(capture.take(min(link.credit, frames.MAX_AGENT_PAYLOAD)), capture.kind)
        return not any(self._captures)

    def _watch_link(self):
        events = select.POLLIN | select.POLLOUT if self._link.unsent else select.POLLIN
        if events != self._link_events:
            self._running.watch(self._link.fd, events, self._take_input)
            self._link_events = events

    def _deliver(self):
        """Queues all output as its credit comes; the last of it is left unsent, to go out in one write with END."""
        if self._link.flush() and self._queue_output():
            return
        self._link.queue(frames.frame(frames.DELIVERING, 0))
        while not (self._link.flush() and self._queue_output()):
            self._link.flush()
            self._watch_link()
            self._running.step(None)


def _capture(kind, limit):
    return Passage(kind) if limit is None else Capture(kind, limit)
