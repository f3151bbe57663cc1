"""What ends a request early, and the END codes for the kernel's errors."""

import errno
import os


class RequestError(Exception):
    """Ends the request with an error of PROTOCOL.md. The detail is written for the caller."""

    def __init__(self, code, detail):
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class Cancelled(Exception):
    """The host sent CANCEL."""


class ChannelClosed(Exception):
    """The router has ended, so nothing reads an answer any more."""


_DISK_FULL = ("STORAGE_FULL", "There is no space left.")
_ENTRIES_FULL = ("STORAGE_FULL", "There are no file entries left: the workspace has as many files and directories as it can. Delete some.")

_BY_ERRNO = {
    errno.ENOENT: ("NOT_FOUND", "There is no such file or directory."),
    errno.ENOTDIR: ("NOT_A_DIRECTORY", "A part of the path is not a directory."),
    errno.EISDIR: ("IS_A_DIRECTORY", "It is a directory."),
    errno.ENXIO: ("NOT_A_REGULAR_FILE", "It is not a regular file."),
    errno.ENODEV: ("NOT_A_REGULAR_FILE", "It is not a regular file."),
    errno.EACCES: ("PERMISSION_DENIED", "The file's or directory's permissions do not allow it."),
    errno.EPERM: ("PERMISSION_DENIED", "The file's or directory's permissions do not allow it."),
    errno.EROFS: ("PERMISSION_DENIED", "The file system is read-only."),
    errno.EBUSY: ("PERMISSION_DENIED", "It is in use as a mount point."),
    # The agent resolves links first, and then opens the file without following any. So a link that
    # it meets then took the file's place during the call.
    errno.ELOOP: ("PATH_OUTSIDE_WORKSPACE", "A link took the file's place during the call."),
    errno.ENAMETOOLONG: ("INVALID_PATH", "A name in the path is too long."),
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: _DISK_FULL,
    errno.EMFILE: ("SANDBOX_EXHAUSTED", "The sandbox has too many open files."),
    errno.ENFILE: ("SANDBOX_EXHAUSTED", "The sandbox has too many open files."),
    errno.EAGAIN: ("SANDBOX_EXHAUSTED", "The sandbox can start no more processes."),
    errno.ENOMEM: ("SANDBOX_EXHAUSTED", "The sandbox is out of memory."),
}


def note_what_is_full(error):
    """Notes on the error whether space or file entries ran out.

    Call it before files are removed. Afterwards this could not be known any more.
    """
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        error.no_entries = not _entries_left()


def _entries_left():
    """Returns whether a file could be made in the workspace.

    True if its file system does not count files.
    """
    try:
        found = os.statvfs("/workspace")
    except OSError:
        return True
    return found.f_files == 0 or found.f_favail > 0


def _is_out_of_entries(error):
    if not isinstance(error, OSError) or error.errno != errno.ENOSPC:
        return False
    noted = getattr(error, "no_entries", None)
    return not _entries_left() if noted is None else noted


def end_code(error):
    """Returns (code, detail) for any exception that ended a request."""
    if isinstance(error, RequestError):
        return error.code, error.detail
    if isinstance(error, Cancelled):
        return "CLIENT_CLOSED_REQUEST", "The request was cancelled."
    if isinstance(error, MemoryError):
        return _BY_ERRNO[errno.ENOMEM]
    if _is_out_of_entries(error):
        return _ENTRIES_FULL
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno]
    return "INTERNAL_ERROR", "The sandbox's agent failed: %s." % type(error).__name__
