"""Goes through a directory and what is below it, by descriptors.

It follows no link, also none that a command puts there during the call.
"""

import errno
import os
import stat
import sys

from files import paths


TOO_DEEP, DENIED = "too deep", "denied"


def entries(top, max_depth, enters=lambda path: True, leave_out=lambda path, why: None):
    """Yields (path below `top`, name, status, descriptor of its directory) for each entry.

    `top` is a descriptor, and stays open. It goes `max_depth` levels down. The entries of a
    directory come in the order of their names' code points, and each directory comes right before
    its entries. It leaves out what vanishes during the call, and what a directory below `top` does
    not let its owner see. It does not enter a directory if `enters` of its path is false. It calls
    `leave_out` with a path and TOO_DEEP or DENIED: for each entry that it leaves out although it is
    there, and for each directory that it cannot enter.
    """
    open_directories = [top]
    ahead = [(_names(top), "")]
    try:
        while ahead:
            names, prefix = ahead[-1]
            directory = open_directories[-1]
            below = None
            while names and below is None:
                name = names.pop()
                path = prefix + _text(name)
                try:
                    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except PermissionError:
                    if len(ahead) == 1:
                        raise
                    leave_out(path, DENIED)
                    continue
                yield path, name, status, directory
                if not (stat.S_ISDIR(status.st_mode) and enters(path)):
                    continue
                if len(ahead) == max_depth:
                    leave_out(path, TOO_DEEP)
                    continue
                try:
                    below = _open(name, directory)
                except PermissionError:
                    leave_out(path, DENIED)
            if below is not None:
                open_directories.append(below)
                ahead.append((_names(below), path + "/"))
            else:
                ahead.pop()
                open_directories.pop()
                if ahead:
                    os.close(directory)
    finally:
        for directory in open_directories[1:]:
            os.close(directory)


def _names(directory):
    """Returns the names of the entries, the last one first.

    With their attributes too, a directory of a million would not fit a sandbox's memory.
    """
    names = os.listdir(directory)
    names.sort(reverse=True)
    return names


def _recoded(name):
    return os.fsencode(name).decode("utf-8", "surrogateescape")


# Python has read the names so already, unless the image's locale is not one of UTF-8.
_text = str if sys.getfilesystemencoding() == "utf-8" else _recoded


def _open(name, parent):
    """Returns a descriptor of the directory, or None if it is gone or is no directory any more."""
    try:
        return paths.open_directory(name, parent)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
