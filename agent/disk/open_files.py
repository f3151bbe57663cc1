"""What open files take that a walk does not count."""

import os
import stat

from disk import proc
from disk.walk import BLOCK


def hidden_bytes(pids, device):
    """Returns what open files of these processes take that a walk does not count, in bytes.

    These have no name, or lie in a directory that its permissions close. Such a file may grow, and
    the directory shows no change.
    """
    found = {}
    for pid in pids:
        for name in proc.names("/proc/%d/fd" % pid):
            path = "/proc/%d/fd/%s" % (pid, name)
            try:
                status = os.stat(path)
                if status.st_dev != device or not stat.S_ISREG(status.st_mode) or status.st_ino in found:
                    continue
                if status.st_nlink == 0 or _is_closed_in(os.readlink(path)):
                    found[status.st_ino] = status.st_blocks * BLOCK
            except OSError:
                continue  # it was closed meanwhile
    return sum(found.values())


def _is_closed_in(path):
    try:
        os.lstat(path)
    except PermissionError:
        return True
    except OSError:
        pass
    return False
