"""One watched directory, with the directories below it if it is watched with these.

A new directory may fill before it is watched. So it is scanned then, and its entries are told.
"""

from watching import change_lines, inotify
from watching.tree_scans import TEMPORARY, TreeScans

_TEMPORARY_OF_NEW = b".sandbox-tmp-new-"  # such a file, when it replaces nothing
_END = inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.UNMOUNT | inotify.IGNORED


class WatchedTree(TreeScans):
    """What the events of the kernel mean for the tree."""

    def take_event(self, node, mask, name):
        """Takes an event of an entry of the node, or of the node itself if there is no name."""
        is_dir = bool(mask & inotify.ISDIR)
        if not name:
            if node is self.root and mask & _END:
                self.gone = True
        elif name.startswith(TEMPORARY):
            return
        elif mask & inotify.CREATE:
            self._take_new(node, name, is_dir)
        elif mask & inotify.MOVED_TO:
            self.drop_at(node, name)
            self.told.discard((node, name))
            self._take_new(node, name, is_dir)
        elif mask & (inotify.DELETE | inotify.MOVED_FROM):
            self._take_removed(node, name, is_dir)
        elif _may_be_nameless(name) and not self.exists(node, name):
            return
        elif mask & inotify.MODIFY:
            self._tell(change_lines.MODIFY, node, name, is_dir)
        elif mask & inotify.ATTRIB:
            self._tell(change_lines.CHMOD, node, name, is_dir)
            child = node.children.get(name)
            if child is not None and child.watch is None:
                self.queue(child, True)  # it may be readable now

    def take_rename(self, node, name, target, its_name, is_dir):
        """An entry of the node has become one of the node `target`."""
        if its_name.startswith(TEMPORARY):
            self.take_event(node, inotify.MOVED_FROM | (inotify.ISDIR if is_dir else 0), name)
            return
        if name.startswith(TEMPORARY):
            self._take_written(target, its_name, is_dir, name.startswith(_TEMPORARY_OF_NEW))
            return
        self.told -= {(node, name), (target, its_name)}
        self.tell(change_lines.RENAME, is_dir, target.path_of(its_name), node.path_of(name))
        child = node.children.get(name)
        if child is not None and target.is_within(child):
            # It cannot be: directories have changed places before their events came.
            self.need_rescan()
            return
        if (node, name) != (target, its_name):
            self.drop_at(target, its_name)
        if child is None or child.dropped:
            if is_dir:
                self.adopt(target, its_name, True)
        else:
            child.move(target, its_name)
            if child.watch is None:
                self.queue(child, True)

    def take_overflow(self):
        """The kernel has dropped events."""
        self.told.clear()
        if self.recursive:
            self.need_rescan()
        else:
            self.changes.lost(change_lines.OVERFLOW)

    def _take_new(self, node, name, is_dir):
        if (node, name) in self.told:
            self.told.discard((node, name))
            return
        self.note_new(node, name)
        self._tell(change_lines.CREATE, node, name, is_dir)
        if is_dir:
            self.adopt(node, name, True)

    def _take_removed(self, node, name, is_dir):
        self.told.discard((node, name))
        self._tell(change_lines.REMOVE, node, name, is_dir)
        self.drop_at(node, name)

    def _take_written(self, node, name, is_dir, is_new):
        """A call has put a file in its place in one step."""
        self.drop_at(node, name)
        if is_new and (node, name) not in self.told:
            self.note_new(node, name)
            self._tell(change_lines.CREATE, node, name, is_dir)
        self.told.discard((node, name))
        self._tell(change_lines.MODIFY, node, name, is_dir)

    def _tell(self, kind, node, name, is_dir):
        self.tell(kind, is_dir, node.path_of(name))


def _may_be_nameless(name):
    """Whether it is what the kernel calls a file of O_TMPFILE: `#` and a number."""
    return name.startswith(b"#") and name[1:].isdigit()
