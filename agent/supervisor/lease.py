"""The lease of an agent: how long the sandbox goes on without a word of the host.

A node that is cut off closes no connection, so its agents read no end of the channel. Meanwhile the
session may get another sandbox on another node. So the host gives a lease (PROTOCOL.md, "Lease"),
and renews it all the time. When no agent of the sandbox has a lease any more, all that runs there
is killed.
"""

import os
import time

import _signal as signal  # see processes/waiting.py

from supervisor import agents

_RETRY_SECONDS = 1.0


class Lease:
    def __init__(self):
        self.until = None  # monotonic seconds; None: it has no end

    def renew(self, seconds):
        self.until = time.monotonic() + seconds

    def expire(self, now):
        """Returns whether this agent is to end, because its lease is over. Kills the rest if so.

        Other agents may still hear of their hosts. Then only this one ends. Two agents whose leases
        end at once must not leave the killing to each other: the one with the lowest pid stays
        until it is the last.
        """
        if self.until is None or now < self.until:
            return False
        others = agents.others()
        if others and min(others) > os.getpid():
            self.until = now + _RETRY_SECONDS
            return False
        if not others and agents.is_in_sandbox():
            os.kill(-1, signal.SIGKILL)  # PID 1 and this process are not meant
        return True
