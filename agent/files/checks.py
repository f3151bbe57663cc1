"""What the operations on files refuse: anything but a regular file, and one that is too large."""

import errno
import stat

from wire.errors import RequestError


def check_regular(status):
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "a link since it was resolved")
    if stat.S_ISDIR(status.st_mode):
        raise RequestError("IS_A_DIRECTORY", "It is a directory.")
    if not stat.S_ISREG(status.st_mode):
        raise RequestError("NOT_A_REGULAR_FILE", "It is not a regular file.")


def check_size(size, max_size):
    """`max_size` is in bytes; 0 means that there is no limit."""
    if max_size and size > max_size:
        raise RequestError("FILE_TOO_LARGE", "The file is larger than %d bytes." % max_size)
