"""Signals to processes, and the end of a whole tree of them."""

import os

import _signal as signal  # see waiting.py

from processes import process_table

# A fork bomb that calls setsid in each child needs several passes. After this many,
# kill_descendants kills what it has found, and its caller calls it again.
_MAX_STOP_PASSES = 30
_MAX_QUICK_PASSES = 1000


def kill_descendants(root, spared=()):
    """Kills every process that it sees below root. Returns how many those were.

    It leaves out the spared pids and what is below those. Call it again until it returns 0: what a
    process forks between two looks is seen the next time, because root, a subreaper, inherits it.
    Zombies count until they are reaped. It never forks.

    It first stops the processes, until a look finds no new one. A killed process would free a place
    under the limit of processes for a fork bomb's next child. A stopped one does not.
    """
    found = set()
    for _ in range(_MAX_STOP_PASSES):
        if not _stop_new(root, spared, found):
            break
    for pid in found:
        _signal(pid, signal.SIGKILL)
    return len(found)


def _stop_new(root, spared, found):
    """Looks at all processes once, and stops those that descend from root. Adds them to found.

    Returns whether any was new.
    """
    new = False
    # A process may end, leaving a child, in less time than a look at all processes takes. Root's
    # children are one quick read, and every orphan becomes one of them.
    for _ in range(_MAX_QUICK_PASSES):
        children = [pid for pid in process_table.children_of(root) if pid not in found and pid not in spared]
        if not children:
            break
        for pid in reversed(children):
            _signal(pid, signal.SIGSTOP)
        found.update(children)
        new = True
    listed = process_table.pids()
    found.intersection_update(listed)
    for pid in listed:
        if pid not in found and pid not in spared:
            stat = process_table.stat_of(pid)
            if stat is not None and (stat[0] == root or stat[0] in found):
                _signal(pid, signal.SIGSTOP)
                found.add(pid)
                new = True
    return new


def _signal(pid, number):
    _send_quietly(os.kill, pid, number)
    try:
        group = os.getpgid(pid)
    except OSError:
        return  # the process has ended
    # The kernel signals a group in one step that no fork slips through. So a plain fork bomb ends
    # here at once.
    if group > 1 and group != os.getpgrp():
        _send_quietly(os.killpg, group, number)


def kill(pid):
    _send_quietly(os.kill, pid, signal.SIGKILL)


def signal_session(leader, number):
    """Sends the signal to every process of the session that this process leads."""
    for pid in process_table.pids():
        try:
            if os.getsid(pid) == leader:
                os.kill(pid, number)
        except OSError:
            pass  # the process has ended


def resume(pid):
    """Lets a stopped process run on."""
    _send_quietly(os.kill, pid, signal.SIGCONT)


def _send_quietly(send, target, number):
    try:
        send(target, number)
    except OSError:
        pass  # it has ended, or it runs a set-uid program
