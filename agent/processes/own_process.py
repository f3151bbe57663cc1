"""What a process of the agent sets for itself in the kernel."""

import ctypes
import os

_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

# The name of a process that stays with what a command left running, and of a job's keeper.
BACKGROUND_NAME = b"sandbox-bg"

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option, value):
    _libc.prctl(option, value, 0, 0, 0)


def become_subreaper():
    """Makes this process the parent of orphans among its descendants.

    It does not matter which session or process group they have moved to.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def set_dumpable(dumpable):
    """If it is off, no process of the same uid can read our memory or descriptors, nor trace us."""
    _prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(1 if dumpable else 0))


def set_name(name):
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name))


def give_back_memory():
    """Returns freed memory to the kernel. Only glibc can; without it this does nothing."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


def raise_open_files():
    """Lets this process open as many files as the sandbox's hard limit allows."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def volunteer_for_oom_killer():
    """Makes the kernel kill this process and its commands first when memory runs out."""
    set_dumpable(True)  # else the file belongs to root
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(fd, b"1000")
        finally:
            os.close(fd)
    except OSError:
        pass  # a runtime without it (gVisor) has an OOM killer of its own
    finally:
        set_dumpable(False)
