"""At its start, an agent kills what the commands of a lost agent left running in the container.

Other agents may live beside this one. Their commands are left alone. A command's processes are
below its agent. If that agent has ended, they are children of PID 1.
"""

import os

from processes import killing, own_process, process_table, shell
from supervisor import agents

_MAX_ROUNDS = 20


def kill_leftovers():
    if not agents.is_in_sandbox():
        return
    for _ in range(_MAX_ROUNDS):
        table = process_table.snapshot()
        background = {pid for pid in table if process_table.name_of(pid) == own_process.BACKGROUND_NAME and agents.is_agent(pid)}
        roots = [pid for pid, (parent, _, state) in table.items() if _is_leftover(pid, parent, state) and pid not in background]
        if not roots:
            return
        for root in roots:
            killing.kill_descendants(root, background)
            killing.kill(root)


def _is_leftover(pid, parent, state):
    if state == b"Z" or pid in (1, os.getpid()):
        return False
    if parent == 0:
        # A command has stopped it, so its host gave it up.
        return state == b"T" and agents.is_agent(pid)
    return parent == 1 and not _is_sleep_of_init(pid)


def _is_sleep_of_init(pid):
    line = process_table.command_line(pid)
    if line == process_table.command_line(1):
        return True  # it has forked, and not called exec yet
    try:
        return line == b"sleep\0002147483647\0" and os.path.samefile("/proc/%d/exe" % pid, shell.find_program(b"sleep"))
    except OSError:
        return False
