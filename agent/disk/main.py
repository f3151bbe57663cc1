"""PID 1 of a sandbox whose workspace is on the host's disk. It reaps orphans, and bounds the disk.

Its arguments are BYTES and ENTRIES. 0 bytes: a quota of the host's kernel bounds the bytes, and
this counts entries alone. No process of the sandbox can stop or kill PID 1, so none escapes the
bound. If this program fails, the sandbox ends. It also ends if a command has changed the priority
of PID 1. A pod's seccomp profile allows that, and nobody could undo it.

While processes of commands run, it measures the workspace again and again. Past the limit it kills
them. It spares the agent's processes, which stop writing by themselves. It tells the agent in its
own name, which no other process can change: `dENDS/FREE`. ENDS counts how often it has killed, FREE
is what is left in MiB. FREE is `x` if the workspace is far past its limit.
"""

import os
import resource
import sys
import time

import _signal as signal

from disk import proc
from disk.sandbox_processes import reap
from disk.watch import Watch

ROOT = "/workspace"


def run(_direct):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signals = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)
    # SIGUSR1 is the agent's word that it has written, and SIGUSR2 that it would refuse a call.
    # PID 1 gets only signals that it handles.
    for number in signals[1:]:
        signal.signal(number, lambda number, stack: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    watch = Watch(ROOT, int(sys.argv[-2]), int(sys.argv[-1]))
    scheduling = proc.scheduling()
    pause, poked, asked = 0.0, False, False
    next_look = time.monotonic()
    while True:
        wait = None if pause is None else max(0.0, next_look - time.monotonic())
        got = signal.sigwaitinfo(signals) if wait is None else signal.sigtimedwait(signals, wait)
        if proc.scheduling() not in (scheduling, None):
            os._exit(1)
        reap()
        poked = poked or (got is not None and got.si_signo == signal.SIGUSR1)
        asked = asked or (got is not None and got.si_signo == signal.SIGUSR2)
        if pause is None and not (poked or asked) or pause is not None and time.monotonic() < next_look:
            continue
        pause, poked, asked = watch.look(poked, asked), False, False
        next_look = time.monotonic() + (pause or 0.0)
