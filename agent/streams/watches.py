"""Streams of the kind `watch`: the host follows the changes in a directory of the workspace."""

import errno
import select
import time

from files import file_names
from processes import own_process
from streams.relay_socket import RelaySocket
from streams.relay_stream import RelayStream
from watching import inotify
from watching.change_lines import ChangeLines
from watching.renames import Renames
from watching.watch_table import WatchTable
from watching.watched_tree import WatchedTree
from wire import frames, messages
from wire.errors import RequestError, end_code

_MAX_WATCHES = 16
_MAX_QUESTION_BYTES = 32 << 10
# The kernel may take so long for the second event of a rename, if the sandbox is out of CPU time.
_MAX_HELD_SECONDS = 0.1
_RETRY_SECONDS = 0.02
# The kernel tells of the removal of a directory only when no process works there any more.
_LOOK_SECONDS = 5.0

_NO_INSTANCE = "The host has no inotify instance left for sandboxes: raise fs.inotify.max_user_instances there."
_NO_WATCH = "The host has no inotify watch left for sandboxes: raise fs.inotify.max_user_watches there."


class Watches(RelaySocket):
    """The inotify instance of all streams of the kind. It goes with the last of them."""

    def __init__(self, relay):
        """Raises OSError."""
        self.table = WatchTable()
        super().__init__(relay, self.table.inotify)
        self.streams = set()
        self._renames = Renames()

    def events(self):
        return select.POLLIN

    def serve(self, events):
        read, more = self.socket.read()
        self._dispatch(self._renames.pair(read))
        self.deadline = None if self._renames.held is None else time.monotonic() + _MAX_HELD_SECONDS
        for stream in list(self.streams):
            if not more:
                stream.forget_told()
            stream.advance()

    def expire(self):
        self.deadline = None
        self._dispatch(self._renames.release())
        for stream in list(self.streams):
            stream.advance()

    def close(self, aborted):
        self.socket.close()

    def _dispatch(self, events):
        for watch, mask, name, target in events:
            if mask & inotify.Q_OVERFLOW:
                for stream in self.streams:
                    stream.take_overflow()
            elif target is not None:
                self._dispatch_rename(watch, mask, name, *target)
            else:
                owners = self.table.forget(watch) if mask & inotify.IGNORED else self.table.owners(watch)
                for tree, node in owners:
                    tree.take_event(node, mask, name)

    def _dispatch_rename(self, watch, mask, name, its_watch, its_name):
        targets = dict(self.table.owners(its_watch))
        for tree, node in self.table.owners(watch):
            if tree in targets:
                tree.take_rename(node, name, targets.pop(tree), its_name, bool(mask & inotify.ISDIR))
            else:
                tree.take_event(node, mask, name)
        is_dir = mask & inotify.ISDIR
        for tree, node in targets.items():
            tree.take_event(node, inotify.MOVED_TO | is_dir, its_name)


class _NoSocket:
    """The number stands in the relay's tables for a descriptor. poll() is never asked for it."""

    def __init__(self, number):
        self._number = number

    def fileno(self):
        return self._number


class WatchStream(RelayStream):
    def __init__(self, relay, stream_id):
        super().__init__(relay, stream_id, _NoSocket(-stream_id))
        self._credit = frames.STREAM_WINDOW  # bytes that the host will still take
        self._question = b""  # what has come of the host's line; None once it is whole
        self._changes = ChangeLines()
        self._tree = None
        self._looks_at = 0.0
        self._ended = False  # the agent has sent EOF

    def close(self, aborted):
        """It has nothing to close."""

    def ended(self):
        watches = self.relay.watches
        watches.streams.discard(self)
        if self._tree is not None:
            self._tree.close()
        if not watches.streams:
            self.relay.watches = None
            self.relay.end(watches)

    # ---- the host

    def take_data(self, payload):
        if self._question is None:
            raise frames.BadFrame("DATA after the line of a watch")
        self._question += payload
        if len(self._question) > _MAX_QUESTION_BYTES:
            raise frames.BadFrame("a long line for a watch")
        line, end, rest = self._question.partition(b"\n")
        if end:
            self._question = None
            self._begin(*_parse(line, rest))

    def take_credit(self, size):
        self._credit += size
        self.advance()

    def take_eof(self):
        if not self._ended:
            self.relay.send(frames.frame(frames.STREAM_EOF, self.id))
        self.relay.end(self)

    def _begin(self, path, recursive):
        try:
            self._tree = WatchedTree(self.relay.watches.table, path, recursive, self._changes)
        except (OSError, RequestError) as error:
            self.relay.reset(self, *_reason(error, errno.ENOSPC, _NO_WATCH))
            return
        self.advance()

    # ---- changes

    def take_overflow(self):
        if self._tree is not None:
            self._tree.take_overflow()

    def forget_told(self):
        if self._tree is not None:
            self._tree.forget_told()

    def expire(self):
        self._tree.work()
        self._looks_at = time.monotonic() + _LOOK_SECONDS
        self.advance()

    def advance(self):
        """Sends what the host takes, and notes when there is more to do."""
        if self.fd is None or self._tree is None or self._ended:
            return
        tree = self._tree
        if tree.gone and not tree.ready:
            self.relay.reset(self, "NOT_FOUND", "The directory was removed or moved.")
            return
        waits = tree.ready and not self._send()
        if tree.gone and not self._changes:
            self._ended = True
            self.relay.send(frames.frame(frames.STREAM_EOF, self.id))
        times = [] if tree.gone else [self._looks_at]
        if tree.next_work is not None and not tree.gone:
            times.append(tree.next_work)
        if waits:
            times.append(time.monotonic() + _RETRY_SECONDS)
        self.deadline = min(times, default=None)
        self.relay.watch(self)

    def _send(self):
        """Returns False if the router does not take more now."""
        while self._changes and self._credit > 0:
            if not self.relay.takes_output():
                return False
            data = self._changes.take(min(self._credit, frames.MAX_AGENT_PAYLOAD))
            self._credit -= len(data)
            self.relay.send_output(self, data)
        return True


def watch(relay, stream_id):
    """Serves an OPEN."""
    if relay.watches is None:
        try:
            relay.watches = Watches(relay)
        except OSError as error:
            relay.refuse(stream_id, *_reason(error, errno.EMFILE, _NO_INSTANCE))
            return
        relay.attach(relay.watches)
    if len(relay.watches.streams) >= _MAX_WATCHES:
        relay.refuse(stream_id, "TOO_MANY_STREAMS", "The session already has %d watches." % _MAX_WATCHES)
        return
    stream = WatchStream(relay, stream_id)
    relay.watches.streams.add(stream)
    relay.add(stream)
    relay.send(frames.json_frame(frames.STREAM_ACCEPT, stream_id, {}))
    own_process.give_back_memory()  # what the compiler has used


def _reason(error, exhausted, detail):
    """Returns (code, detail) for the host."""
    if isinstance(error, OSError) and error.errno == exhausted:
        return "SANDBOX_EXHAUSTED", detail
    return end_code(error)


def _parse(line, rest):
    """Returns (path, whether it is recursive). `rest` is what came after the line."""
    try:
        question = messages.loads(line)
        file_names.restore(question)
        path, recursive = question["path"], question["recursive"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise frames.BadFrame("a malformed line for a watch") from None
    if rest or not isinstance(path, str) or not isinstance(recursive, bool):
        raise frames.BadFrame("a malformed line for a watch")
    return path, recursive
