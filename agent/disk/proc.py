"""/proc, in which everything may vanish between two looks."""

import os


def names(directory):
    try:
        return os.listdir(directory)
    except OSError:
        return []


def read(path):
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(65536)
    except OSError:
        return b""


def scheduling():
    """Returns this process's nice value and scheduling policy; None if /proc does not tell."""
    status = read("/proc/self/stat")
    fields = status[status.rfind(b")") + 2 :].split()
    return (fields[16], fields[38]) if len(fields) > 38 else None
