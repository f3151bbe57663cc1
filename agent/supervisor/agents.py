"""The agents of a sandbox: one for each API process that has a channel."""

import os

from processes import process_table


def is_in_sandbox():
    """Returns whether this agent runs in a container of the API.

    Only processes that the engine starts have parent 0.
    """
    return os.getppid() == 0


def is_agent(pid):
    return process_table.command_line(pid) == process_table.command_line(os.getpid())


def others():
    """Returns the pids of the other agents that live. One that a command has stopped does not."""
    table = process_table.snapshot()
    return [
        pid
        for pid, (parent, _, state) in table.items()
        if parent == 0 and state not in (b"T", b"Z") and pid not in (1, os.getpid()) and is_agent(pid)
    ]
