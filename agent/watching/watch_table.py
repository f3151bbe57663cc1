"""The directories that one instance of inotify watches, and for which trees."""

import errno
import os

from watching.inotify import Inotify

# All sandboxes share the kernel's limit (fs.inotify.max_user_watches), because they have one uid.
_MAX_DIRECTORIES = 8192


class WatchTable:
    """A directory that two trees have is one watch of the kernel's."""

    def __init__(self):
        """Raises OSError."""
        self.inotify = Inotify()
        self._owners = {}  # by watch: {tree: its node}

    def add(self, tree, node, directory):
        """Watches an open directory for a node. Returns False if another node of the tree has it.

        Raises OSError; ENOSPC if there are too many.
        """
        if len(self._owners) >= _MAX_DIRECTORIES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        watch = self.inotify.add(directory)
        if self._owners.setdefault(watch, {}).setdefault(tree, node) is not node:
            return False
        node.watch = watch
        return True

    def drop(self, tree, node):
        """Watches the node's directory no more, unless another tree has it."""
        watch, node.watch = node.watch, None
        owners = self._owners.get(watch, {})
        if owners.get(tree) is node:
            del owners[tree]
            if not owners:
                del self._owners[watch]
                self.inotify.remove(watch)

    def owners(self, watch):
        """Returns (tree, node) of each tree that has the directory."""
        return list(self._owners.get(watch, {}).items())

    def forget(self, watch):
        """The kernel has ended the watch. Returns (tree, node) of each tree that had it."""
        owners = list(self._owners.pop(watch, {}).items())
        for _, node in owners:
            node.watch = None
        return owners
