"""Goes through a directory and what is below it, by descriptors: no link is followed, one that is swapped in during the call neither."""

import errno
import os
import stat

import paths


def entries(top, max_depth):
    """Yields (path below `top`, name, status, descriptor of its directory) for each entry, so many levels down.

    A directory's entries come in the order of their names' code points, and each directory right before what is in it. `top` is a
    descriptor, and stays open. What vanishes meanwhile is left out, and so is what a directory below `top` does not let its owner see.
    """
    open_directories = [top]
    ahead = [(_names(top), "")]
    try:
        while ahead:
            names, prefix = ahead[-1]
            if not names:
                ahead.pop()
                directory = open_directories.pop()
                if ahead:
                    os.close(directory)
                continue
            name = names.pop()
            directory = open_directories[-1]
            status = _status(name, directory, len(ahead) > 1)
            if status is None:
                continue
            path = prefix + _text(name)
            yield path, name, status, directory
            if stat.S_ISDIR(status.st_mode) and len(ahead) < max_depth:
                below = _open(name, directory)
                if below is not None:
                    open_directories.append(below)
                    ahead.append((_names(below), path + "/"))
    finally:
        for directory in open_directories[1:]:
            os.close(directory)


def _names(directory):
    """The last one first. Names alone are held: with their attributes, a directory of a million would not fit a sandbox's memory."""
    names = os.listdir(directory)
    names.sort(reverse=True)
    return names


def _text(name):
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _status(name, directory, skips_denied):
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except PermissionError:
        if skips_denied:
            return None
        raise


def _open(name, parent):
    """None where it cannot be read, or is no directory any more."""
    try:
        return paths.open_directory(name, parent)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
