"""The nodes of a watched tree: which directories are watched, and the scans that find them."""

import errno
import os
import time

from _collections import deque  # see processes/waiting.py

from files import paths
from watching import change_lines
from watching.directory_scan import DirectoryScan
from watching.tree_node import TreeNode
from wire.errors import RequestError

TEMPORARY = b".sandbox-tmp-"  # what calls under way use

_MAX_DIRECTORIES = 4096
_MAX_LEVELS = 100
# Of a directory. So the path of an entry has at most paths.MAX_PATH_BYTES.
_MAX_PATH_BYTES = paths.MAX_PATH_BYTES - 256
# A part of a scan, so that it does not hold up the other streams.
_DIRECTORIES_A_TURN = 32
_ENTRIES_A_TURN = 512
_MAX_TOLD = 4096
_RESCAN_PAUSE_SECONDS = 2.0
_REST_SECONDS = 0.2
_DIRECTORY = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class TreeScans:
    def __init__(self, table, path, recursive, changes):
        """Raises RequestError and OSError, as opening the directory does."""
        self.gone = False  # the directory was removed or moved
        self.ready = False  # all has been watched once
        self.recursive = recursive
        self.changes = changes
        self.root = TreeNode(None, b"")
        self.told = set()  # (node, name) of entries that a scan has told; their events may follow
        self._table = table
        self._path = path
        self._count = 1  # of nodes
        self._full = False  # the host knows that there are too many directories
        self._scan = None
        self._ahead = deque()  # (node, whether its entries are told)
        self._rescan_at = None  # monotonic, s
        self._rescans_from = 0.0
        self._rescanning = False
        self._rests_until = 0.0
        directory = self._open_root()
        try:
            self._identity = paths.identity(directory)
            table.add(self, self.root, directory)
        finally:
            os.close(directory)
        if recursive:
            self.queue(self.root, False)

    def close(self):
        self._end_scan()
        for node in self.root.all():
            self._table.drop(self, node)

    # ---- what waits to be done

    @property
    def next_work(self):
        """When there is something to do without an event (monotonic, s), or None."""
        if self._scan is not None or self._ahead or not self.ready:
            return self._rests_until
        return self._rescan_at

    def work(self):
        """Does a part of what waits, and looks whether the directory is still there."""
        try:
            root = self._open_root()
        except (OSError, RequestError) as error:
            self.gone = self.gone or isinstance(error, RequestError) or error.errno in _GONE
            self._rests_until = time.monotonic() + _REST_SECONDS
            return
        try:
            if paths.identity(root) != self._identity:
                self.gone = True
                return
            if self._rescan_at is not None and self._rescan_at <= time.monotonic():
                self._rescan()
            self._scan_some(root)
        finally:
            os.close(root)
        if self._scan is None and not self._ahead:
            self._note_whole()

    def _note_whole(self):
        if not self.ready:
            self.ready = True
            self._rescanning = False
            self.changes.ready()
        elif self._rescanning:
            self._rescanning = False
            self._rescans_from = time.monotonic() + _RESCAN_PAUSE_SECONDS
            self.changes.lost(change_lines.OVERFLOW)

    def need_rescan(self):
        """Call it when a node may be another directory than the one that is watched for it."""
        if self._rescan_at is None:
            self._rescan_at = max(time.monotonic(), self._rescans_from)

    def _rescan(self):
        """Finds all directories anew. What happens meanwhile is lost, and told so at the end."""
        self._rescan_at = None
        self._rescanning = True
        self._end_scan()
        self._ahead.clear()
        self.told.clear()
        for child in list(self.root.children.values()):
            self._drop(child)
        self._full = False
        self.root.queued = False
        self.queue(self.root, False)

    # ---- scans

    def _scan_some(self, root):
        directories, entries = _DIRECTORIES_A_TURN, _ENTRIES_A_TURN
        while directories > 0 and entries > 0:
            if self._scan is not None:
                entries -= self._scan_entries(entries)
            elif self._ahead:
                node, tells = self._ahead.popleft()
                node.queued = False
                if not node.dropped:
                    directories -= 1
                    self._begin_scan(root, node, tells)
            else:
                return

    def _begin_scan(self, root, node, tells):
        try:
            directory = _open_below(root, node.names())
        except OSError as error:
            # If it is gone, its event is on the way.
            if error.errno not in _GONE:
                self._lose(change_lines.NOT_READABLE, node)
            return
        self._scan = DirectoryScan(directory, node, tells)
        try:
            if not self._table.add(self, node, directory):
                self.need_rescan()  # directories have changed places before their events came
        except OSError as error:
            self._end_scan()
            if error.errno == errno.ENOSPC:
                self._note_full(node)
            else:
                self._lose(change_lines.NOT_READABLE, node)

    def _scan_entries(self, most):
        scan = self._scan
        found, ended = scan.take(most)
        for name, is_dir in found:
            if name.startswith(TEMPORARY):
                continue
            if scan.tells and name not in scan.known and (scan.node, name) not in self.told:
                if len(self.told) < _MAX_TOLD:
                    self.told.add((scan.node, name))
                self.tell(change_lines.CREATE, is_dir, scan.node.path_of(name))
            if is_dir:
                self.adopt(scan.node, name, scan.tells)
        if ended:
            self._end_scan()
        return len(found) + 1

    def note_new(self, node, name):
        """The event of a new entry has come. If the node is being scanned, it is not told again."""
        if self._scan is not None and self._scan.node is node and len(self._scan.known) < _MAX_TOLD:
            self._scan.known.add(name)

    def forget_told(self):
        """All events that were there have come."""
        if self._scan is None and not self._ahead:
            self.told.clear()

    def _end_scan(self):
        if self._scan is not None:
            self._scan.close()
            self._scan = None

    def queue(self, node, tells):
        """Has the directory watched and scanned. `tells`: its entries are told as new ones."""
        if not node.queued:
            node.queued = True
            self._ahead.append((node, tells))

    def _open_root(self):
        with paths.resolve(self._path) as place:
            return place.open_directory()

    def exists(self, node, name):
        """Returns whether there is such an entry now."""
        try:
            root = self._open_root()
            try:
                directory = _open_below(root, node.names())
            finally:
                os.close(root)
            try:
                os.stat(name, dir_fd=directory, follow_symlinks=False)
            finally:
                os.close(directory)
        except (OSError, RequestError):
            return False
        return True

    # ---- nodes

    def adopt(self, node, name, tells):
        """Takes a directory into the tree, unless it is there."""
        if not self.recursive or name in node.children:
            return
        names = (*node.names(), name)
        if len(names) >= _MAX_LEVELS or len(b"/".join(names)) > _MAX_PATH_BYTES:
            self._lose(change_lines.TOO_DEEP, node)
        elif self._count >= _MAX_DIRECTORIES:
            self._note_full(node)
        else:
            child = node.children[name] = TreeNode(node, name)
            self._count += 1
            self.queue(child, tells)

    def drop_at(self, node, name):
        """Takes a directory out of the tree, if it is there."""
        child = node.children.get(name)
        if child is not None:
            self._drop(child)

    def _drop(self, child):
        del child.parent.children[child.name]
        for node in child.all():
            node.dropped = True
            self._count -= 1
            self._full = False
            self._table.drop(self, node)
            if self._scan is not None and self._scan.node is node:
                self._end_scan()

    # ---- what the host is told

    def tell(self, kind, is_dir, path, origin=None):
        if not self.ready:
            return  # the caller looks at the directory once all is watched
        if max(len(path), len(origin or b"")) > paths.MAX_PATH_BYTES:
            # Directories were moved since they were watched.
            self.changes.lost(change_lines.TOO_DEEP)
        else:
            self.changes.change(kind, path, is_dir, origin)

    def _note_full(self, node):
        if not self._full:
            self._full = True
            self._lose(change_lines.TOO_MANY_DIRECTORIES, node)

    def _lose(self, reason, node):
        path = b"/".join(node.names())
        self.changes.lost(reason, path if len(path) <= paths.MAX_PATH_BYTES else None)


def _open_below(root, names):
    """Returns a descriptor to read a directory by. Follows no link. Raises OSError."""
    parent = os.dup(root)
    try:
        if not names:
            return os.dup(root)
        for name in names[:-1]:
            parent = paths.exchange(parent, os.open(name, _DIRECTORY, dir_fd=parent))
        return paths.open_directory(names[-1], parent)
    finally:
        os.close(parent)
