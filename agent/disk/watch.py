"""When the workspace is measured, and what follows from it."""

import os
import time

from disk import sandbox_processes
from disk.open_files import hidden_bytes
from disk.walk import CLOSED_SECONDS, Walk

# The time between two looks at the processes and at the file system's free space.
_TICK_SECONDS = 0.25
# So long after the last process, or the agent's last word, it goes on looking.
_LINGER_SECONDS = 1.0
# A measurement waits for so many times the CPU time that the last one took. If the free space has
# shrunk by less than the session has left, it can wait.
_RARELY, _OFTEN = 20, 1
_RARELY_SECONDS, _MAX_PAUSE_SECONDS = 1.0, 30.0
# A workspace past its limit may grow by this much, for a log or a lock, before its writer ends.
_SLACK_BYTES, _SLACK_ENTRIES = 1 << 20, 100
# So far past its limit, at least and as a part of it, a workspace takes no more commands. A fast
# disk takes gigabytes until a writer is ended, and then a command has to delete them.
_FAR_BYTES, _FAR_ENTRIES, _FAR_PART = 4 << 30, 500_000, 1
_STRIKES = 2
_PLENTY_MIB = 9_999_999


class Watch:
    def __init__(self, root, max_bytes, max_entries):
        self._root = root
        self._max_bytes = max_bytes or float("inf")
        self._max_entries = max_entries
        self._far_bytes = self._max_bytes + max(_FAR_BYTES, _FAR_PART * self._max_bytes)
        self._far_entries = max_entries + max(_FAR_ENTRIES, _FAR_PART * max_entries)
        self._processes = sandbox_processes.Processes()
        self._bytes = self._entries = 0
        self._ends = 0
        self._level = None  # (bytes, entries) of a workspace past its limit, as it was measured
        self._strikes = 0
        self._closed = {}
        self._space = None  # free blocks and entries of the file system at the last measurement
        self._walked_at = -_MAX_PAUSE_SECONDS
        self._cost = 0.0
        self._dirty = True
        self._asked = False
        self._awake_until = 0.0

    def look(self, poked=False, asked=False):
        """Looks once. Returns the seconds until the next look; None: not before a signal.

        `asked`: a call is about to be refused, so the measurement need not be rare.
        """
        commands = self._processes.commands()
        now = time.monotonic()
        self._asked = self._asked or asked
        if commands or poked or asked:
            self._awake_until = now + _LINGER_SECONDS
            self._dirty = True
        awake = now < self._awake_until
        if self._dirty:
            due = self._is_due(now)
            if due:
                self._measure(commands)
            elif due is False:
                self._strikes = 0
                self._asked = False
            if due is not None and not awake:
                self._dirty = False
        return _TICK_SECONDS if awake or self._dirty else None

    def _is_due(self, now):
        """Returns whether to measure: True, False if nothing has changed, None if it can wait."""
        space = self._free_space()
        if space == self._space:
            return False
        if self._space is None:
            return True
        grown = [before - after for before, after in zip(self._space, space)]
        pressing = self._asked or self._level is not None or grown[0] >= self._max_bytes - self._bytes or grown[1] >= self._max_entries - self._entries
        if pressing:
            pause = max(_TICK_SECONDS, _OFTEN * self._cost)
        else:
            pause = min(max(_RARELY_SECONDS, _RARELY * self._cost), _MAX_PAUSE_SECONDS)
        return True if now - self._walked_at >= pause else None

    def _free_space(self):
        found = os.statvfs(self._root)
        return found.f_bfree * found.f_frsize, found.f_ffree

    def _measure(self, commands):
        self._walk(commands)
        grows = self._level is not None and self._is_past(self._level)
        if not self._is_within():
            if commands and (self._level is None or grows or self._is_far_past()):
                self._end_commands()
            elif grows:
                self._strike()
        if not grows:
            self._strikes = 0
        self._note_level(grows)
        self.publish()

    def _end_commands(self):
        self._ends += 1
        self.publish()  # before the kill, so that who sees the death sees the count
        self._processes.kill_commands()
        sandbox_processes.resume_all()  # a command may have stopped the agent
        self._walk(self._processes.commands())

    def _strike(self):
        """The workspace grows, and no command runs. File calls stop by themselves, posers not."""
        self._strikes += 1
        if self._strikes >= _STRIKES:
            self._strikes = 0
            sandbox_processes.kill_all()
            self._walk([])

    def _note_level(self, grows):
        now = self._bytes, self._entries
        if self._is_within():
            self._level = None
        elif self._level is None or grows:
            self._level = now
        else:
            self._level = min(self._level[0], now[0]), min(self._level[1], now[1])

    def _walk(self, commands):
        # Once it is past the limit it counts all, so that it sees whether the workspace grows.
        over = self._level is not None or not self._is_within()
        limits = (float("inf"), 2 * self._far_entries) if over else (self._max_bytes, self._max_entries)
        begun = time.process_time()
        self._asked = False
        self._space = self._free_space()
        self._walked_at = time.monotonic()
        # Without a command, nobody is disturbed by the look into a directory that was just closed.
        walk = Walk(self._closed, *limits, CLOSED_SECONDS if commands else 0.0).run(self._root)
        if walk.unsettled:
            self._space = None
        self._closed = walk.closed
        self._entries = walk.entries
        self._bytes = walk.bytes + hidden_bytes(commands, os.stat(self._root).st_dev)
        if walk.too_deep:
            self._entries = max(self._entries, self._max_entries + 1)
        self._cost = time.process_time() - begun

    def _is_within(self):
        return self._bytes <= self._max_bytes and self._entries <= self._max_entries

    def _is_far_past(self):
        return self._bytes > self._far_bytes or self._entries > self._far_entries

    def _is_past(self, level):
        return self._bytes > level[0] + _SLACK_BYTES or self._entries > level[1] + _SLACK_ENTRIES

    def publish(self):
        if self._is_far_past():
            free = b"x"
        elif self._entries >= self._max_entries:
            free = b"0"
        else:
            free = b"%d" % min((self._max_bytes - self._bytes) // (1 << 20) if self._max_bytes < float("inf") else _PLENTY_MIB, _PLENTY_MIB)
        with open("/proc/self/comm", "wb", buffering=0) as name:
            name.write(b"d%d/%s" % (self._ends % 10_000, free))
