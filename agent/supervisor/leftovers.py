"""At its start, an agent ends what a lost agent's commands left running in the container.

Other agents may live beside this one, one for each API process; their work is left alone. All processes that the engine starts in a
container have parent 0, and no other process has. What a command started is below its agent, unless that agent is gone: then it is a
child of PID 1.
"""

import os

from processes import processes, shell

_MAX_ROUNDS = 20


def clear():
    if os.getppid() != 0:
        return  # not in a container of ours
    for _ in range(_MAX_ROUNDS):
        table = processes.snapshot()
        background = {pid for pid in table if processes.comm(pid) == processes.BACKGROUND_NAME and _is_agent(pid)}
        roots = [pid for pid, (parent, _, state) in table.items() if _is_leftover(pid, parent, state) and pid not in background]
        if not roots:
            return
        for root in roots:
            processes.kill_descendants(root, background)
            processes.kill(root)


def _is_leftover(pid, parent, state):
    if state == b"Z" or pid in (1, os.getpid()):
        return False
    if parent == 0:
        return state == b"T" and _is_agent(pid)  # stopped by a command: its host has given it up
    return parent == 1 and not _is_sleep_of_init(pid)


def _is_agent(pid):
    return processes.command_line(pid) == processes.command_line(os.getpid())


def _is_sleep_of_init(pid):
    line = processes.command_line(pid)
    if line == processes.command_line(1):
        return True  # between its fork and its exec
    try:
        return line == b"sleep\0002147483647\0" and os.path.samefile("/proc/%d/exe" % pid, shell.find_program(b"sleep"))
    except OSError:
        return False
