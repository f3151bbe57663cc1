"""Moves what is in one directory into another."""

import os
import stat

import paths
from errors import RequestError


def merge(source, place, check):
    """Files take the place of files and links, directories are joined. Nothing is moved where a file would meet a directory.

    The place is a directory, or absent and then made. `check` is called now and then, and may raise, until the first move.
    """
    try:
        os.mkdir(place.name, 0o755, dir_fd=place.directory)
    except FileExistsError:
        pass
    target = place.open_directory()
    try:
        _look_for_conflicts(source, target, check)
        _move(source, target)
    finally:
        os.close(target)


def _look_for_conflicts(source, target, check):
    check()
    if not os.listdir(target):
        return
    for name, is_directory in _entries(source):
        try:
            meets_directory = stat.S_ISDIR(os.stat(name, dir_fd=target, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            continue
        if is_directory and meets_directory:
            _in_both(name, source, target, lambda below, into: _look_for_conflicts(below, into, check))
        elif is_directory or meets_directory:
            code, what = ("NOT_A_DIRECTORY", "no directory") if is_directory else ("IS_A_DIRECTORY", "a directory")
            raise RequestError(code, "%s is there already, and is %s." % (name[:200].decode("utf-8", "backslashreplace"), what))


def _move(source, target):
    for name, is_directory in _entries(source):
        try:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        except OSError:
            if not is_directory:
                raise
            _in_both(name, source, target, _move)


def _entries(directory):
    """(name, whether it is a directory) of each."""
    with os.scandir(directory) as entries:
        return [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]


def _in_both(name, source, target, act):
    below = paths.open_directory(name, source)
    try:
        into = paths.open_directory(name, target)
        try:
            act(below, into)
        finally:
            os.close(into)
    finally:
        os.close(below)
