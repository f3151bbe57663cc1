"""The router's side of a process that it forks: the router's end of their socket."""

import os

from processes import waiting
from wire import frames
from wire.outbox import Outbox

# A frame of the largest payload and more. Over 128 KiB, the C library would map and unmap memory
# for every read.
_CHUNK = 80 << 10

READ, NOTHING_YET, ENDED = 0, 1, 2


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
        """Reads once, and adds to `outgoing` what is for the host.

        Returns (READ, NOTHING_YET or ENDED; the types of frames that the router follows, in order).
        """
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return NOTHING_YET, ()
        except OSError:
            return ENDED, ()
        received = self._received + data
        position, notes = self._pass_on(received, outgoing)
        self._received = received[position:]
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
