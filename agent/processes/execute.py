"""exec: runs one command for a request, sends its output, and waits for its processes."""

import select
import time

from processes import disk_limits, oom_kills
from processes.running_command import RunningCommand, exit_code
from processes.streams import Capture, Passage
from wire import frames

_TIMED_OUT_EXIT_CODE = 124
# The worker pauses so long after it sends output of a command without `max_output`. What a command
# that writes much adds meanwhile goes out in one frame instead of ten.
_PAUSE_SECONDS = 0.00025


def run_command(channel, request):
    command = Command(channel, request)
    result = command.run()
    if command.has_processes:
        channel.staying = command
    return result


class Command:
    """One command, until its END. If it leaves processes behind, until those have ended."""

    def __init__(self, channel, request):
        self._channel = channel
        self._request = request
        self._channel_events = 0
        self._captures = [_capture(frames.OUT, request["max_output"]), _capture(frames.ERR, request["max_output"])]
        self._running = RunningCommand(channel.wakeup, self._captures)

    @property
    def has_processes(self):
        """Whether the command left processes behind, which its worker has to stay with."""
        return self._running.has_children

    def run(self):
        """Runs the command to the end of its shell or of its time. Returns the `ok` of its END.

        The last output is queued on the channel, unsent. Raises RequestError or OSError if the
        command cannot be started, Cancelled and ChannelClosed. Then no process of it is left.
        """
        running = self._running
        try:
            started = time.monotonic()
            kills = oom_kills.count()
            ends = disk_limits.ends()
            running.start(self._request, self._channel.grant if self._request["stdin"] else None)
            self._watch_channel()
            timed_out = not self._run_until(started + self._request["timeout_ms"] / 1000)
            if timed_out:
                running.kill()
            duration = time.monotonic() - started
            oom_killed = oom_kills.count() > kills
            disk_limit = disk_limits.reached(ends)
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
            "disk_limit": disk_limit,
            "duration_ms": round(duration * 1000, 3),
            "omitted": {"stdout": self._captures[0].omitted, "stderr": self._captures[1].omitted},
        }

    def linger(self):
        """Waits until all processes that the command left running have ended.

        Reads what they write, so that none blocks in a write or dies of one.
        """
        self._running.unwatch(self._channel.fd)
        self._channel.close()
        while self._running.has_children:
            self._running.step(None)

    def _run_until(self, deadline):
        """Returns whether the shell ended before the deadline (monotonic, s)."""
        if self._channel.pending:
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
        for data in self._channel.receive():
            self._running.add_input(data)

    def _send_output(self):
        """Sends what the channel and the credit take. Returns whether there was any output."""
        any_output = any(self._captures)
        if self._channel.flush():
            self._queue_output()
            self._channel.flush()
        if self._running.held:
            self._running.resume()
        self._watch_channel()
        return any_output

    def _queue_output(self):
        """Queues what the credit takes. Returns whether that was all there is now."""
        channel = self._channel
        for capture in self._captures:
            while capture and channel.credit:
                channel.queue_output(capture.take(min(channel.credit, frames.MAX_AGENT_PAYLOAD)), capture.kind)
        return not any(self._captures)

    def _watch_channel(self):
        events = select.POLLIN | select.POLLOUT if self._channel.unsent else select.POLLIN
        if events != self._channel_events:
            self._running.watch(self._channel.fd, events, self._take_input)
            self._channel_events = events

    def _deliver(self):
        """Queues all output as its credit comes.

        The last of it stays unsent, so that it goes out in one write with END.
        """
        if self._channel.flush() and self._queue_output():
            return
        self._channel.queue(frames.frame(frames.DELIVERING, 0))
        while not (self._channel.flush() and self._queue_output()):
            self._channel.flush()
            self._watch_channel()
            self._running.step(None)


def _capture(kind, limit):
    return Passage(kind) if limit is None else Capture(kind, limit)
