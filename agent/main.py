"""Starts the agent: takes the channel, shields the process, clears what a lost agent left, and routes."""

import fcntl
import gc
import os

import _signal as signal  # see processes/processes.py

from processes import processes
from supervisor import leftovers
from supervisor.router import Router
from wire import frames

_KEPT_SIGNALS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
_F_SETPIPE_SZ = 1031  # fcntl has it from Python 3.10 on


def run():
    processes.set_dumpable(False)
    processes.become_subreaper()
    # A user's `pkill python` or `kill -HUP -1` is not meant for the agent. Commands start with default signals all the same.
    for number in signal.valid_signals():
        if number not in _KEPT_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    channel_in, channel_out = _take_channel()
    leftovers.clear()
    processes.give_back_memory()  # of the compiler's, half a megabyte
    gc.freeze()  # else the collector would touch, and so copy, every page that workers share with this process
    Router(channel_in, channel_out).run()
    os._exit(0)


def _take_channel():
    """Moves the channel away from 0 and 1, which commands inherit."""
    channel = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    for pipe in channel:
        _widen(pipe)
    return channel


def _widen(pipe):
    """Gives it room for a whole window: a full frame is as long as an ordinary pipe, and would take several writes, with a wait before each."""
    try:
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, frames.WINDOW)
    except OSError:
        pass  # it is no pipe, or the kernel grants no more
