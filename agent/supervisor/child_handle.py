"""The router's side of a process that it forks: the router's end of their socket."""

import os

from processes import waiting
from wire import frames
from wire.outbox import Outbox

# Of a child's largest frame. A long output consists of such frames.
_FULL_FRAME = frames.HEADER.size + frames.MAX_AGENT_PAYLOAD

READ, NOTHING_YET, ENDED, FULL = 0, 1, 2, 3


class ChildHandle:
    max_unsent = 0  # bytes; the router kills a process that lets more wait

    def __init__(self, pid, fd):
        self.pid = pid
        self.fd = fd  # None once the router has closed it
        self.oom_kills = 0  # oom_kills.count() when its work began
        self.unsent = Outbox(fd)
        self._received = b""  # the beginning of a frame

    def flush(self):
        """Returns whether nothing waits for the process any more."""
        try:
            return self.unsent.flush()
        except OSError:
            return True  # it has ended; the router tells the host when it reaps it

    def read(self, outgoing):
        """Reads, and adds to `outgoing` what is for the host.

        Returns (READ, NOTHING_YET or ENDED; the types of frames that the router follows, in order).
        """
        state, notes = self._read_once(outgoing)
        if state == FULL:
            # More of a long output is likely there. Two frames make one write to the host.
            state, more = self._read_once(outgoing)
            return READ, (*notes, *more)
        return state, notes

    def _read_once(self, outgoing):
        # To the end of a full frame, because a frame that is read whole is not copied.
        size = _FULL_FRAME - len(self._received) % _FULL_FRAME
        try:
            data = os.read(self.fd, size)
        except BlockingIOError:
            return NOTHING_YET, ()
        except OSError:
            return ENDED, ()
        received = self._received + data
        position, notes = self._pass_on(received, outgoing)
        self._received = received[position:]
        if len(data) == size:
            return FULL, notes
        return READ if data else ENDED, notes

    def _pass_on(self, received, outgoing):
        """Takes the whole frames. Returns (how many bytes they have, the types to follow)."""
        raise NotImplementedError


def each_frame(received):
    """Yields (type, id, start, end) of each whole frame."""
    position = 0
    end = len(received)
    while end - position >= frames.HEADER.size:
        length, kind, frame_id = frames.HEADER.unpack_from(received, position)
        after = position + frames.HEADER.size + length
        if after > end:
            return
        yield kind, frame_id, position, after
        position = after


def fork_child(run, router_fds):
    """Forks a process that closes the router's descriptors and calls run(descriptor).

    Returns (pid, the router's end of their socket). Raises OSError if the sandbox is at its limit
    of processes, memory or open files.
    """
    ours, theirs = waiting.connected_pair()
    try:
        os.set_blocking(ours, False)
        pid = os.fork()
    except OSError:
        os.close(ours)
        os.close(theirs)
        raise
    if pid == 0:
        _become_child(run, theirs, (ours, *router_fds))
    os.close(theirs)
    return pid, ours


def _become_child(run, fd, closed):
    """Runs in the child.

    With a copy of another child's socket it would keep that child from seeing the router's end.
    """
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 2)
        for each in (null, *closed):
            os.close(each)
        run(fd)
        os._exit(0)
    finally:
        os._exit(1)
