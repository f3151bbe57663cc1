"""Starts the agent: shields the process, takes the channel, kills leftovers, and routes."""

import fcntl
import gc
import os

import _signal as signal  # see processes/waiting.py

from processes import own_process
from supervisor import leftovers
from supervisor.router import Router
from wire import direct_channel, frames

# The agent ignores all signals but these.
_KEPT_SIGNALS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
_F_SETPIPE_SZ = 1031  # the module fcntl has it from Python 3.10 on


def run(direct):
    """Runs until the channel ends. `direct` is None, or (name, token) of a socket of the host."""
    own_process.set_dumpable(False)
    own_process.become_subreaper()
    # A user's `pkill python` or `kill -HUP -1` is not meant for the agent. Commands start with
    # default signals all the same.
    for number in signal.valid_signals():
        if number not in _KEPT_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    channel_in, channel_out = _take_channel(direct)
    leftovers.kill_leftovers()
    own_process.give_back_memory()  # half a megabyte, which the compiler has used
    # Else the collector would touch, and so copy, every page that workers share with this process.
    gc.freeze()
    Router(channel_in, channel_out).run()
    os._exit(0)


def _take_channel(direct):
    """Moves the channel off descriptors 0 and 1, which commands inherit. Returns (in, out).

    It is the host's socket if the agent reaches that, else the two pipes.
    """
    connection = None if direct is None else direct_channel.connect(*direct)
    # Two descriptors in either case, because poll() takes one entry a descriptor.
    channel = (os.dup(0), os.dup(1)) if connection is None else (connection, os.dup(connection))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    for pipe in channel:
        _widen(pipe)
    return channel


def _widen(pipe):
    """Gives the pipe room for a whole window.

    A full frame does not fit into an ordinary pipe. It would take several writes, with waits
    between.
    """
    try:
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, frames.WINDOW)
    except OSError:
        pass  # it is no pipe, or the kernel gives no more
