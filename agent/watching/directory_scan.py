"""Reads the entries of a directory bit by bit."""

import os


class DirectoryScan:
    def __init__(self, directory, node, tells):
        """Takes over the descriptor. `tells`: whether the entries are told as new ones."""
        self.node = node
        self.tells = tells
        self.known = set()  # names of new entries whose events have come since it began
        self._directory = directory
        self._entries = None

    def take(self, most):
        """Returns ([(name, whether it is a directory)], whether that was the end)."""
        found = []
        try:
            if self._entries is None:
                self._entries = os.scandir(self._directory)
            for entry in self._entries:
                found.append((os.fsencode(entry.name), _is_directory(entry)))
                if len(found) >= most:
                    return found, False
        except OSError:
            pass  # it has been removed meanwhile
        return found, True

    def close(self):
        if self._entries is not None:
            self._entries.close()
        os.close(self._directory)


def _is_directory(entry):
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
