"""The router's side of a worker: its process, and the router's end of their socket."""

import os

from processes import waiting
from supervisor import worker
from wire import frames
from wire.outbox import Outbox

# A frame of the largest payload and more. Over 128 KiB, the C library would map and unmap memory
# for every read.
_CHUNK = 80 << 10

# These frames are for the router. It passes the others on to the host.
_FOR_ROUTER = (frames.FREE, frames.BACKGROUND, frames.DELIVERING)

READ, NOTHING_YET, ENDED = 0, 1, 2


class WorkerHandle:
    def __init__(self, pid, fd):
        self.pid = pid
        self.fd = fd  # None once the router has closed it
        self.request_id = 0  # 0: the worker is idle
        self.deadline = None  # monotonic, s; the router kills the worker then
        self.cancelled = False
        self.oom_kills = 0  # oom_kills.count() at the start of its request
        self.idle_since = 0.0
        self.unsent = Outbox(fd)
        self._received = b""  # the beginning of a frame

    def queue_frame(self, kind, payload):
        self.unsent.add(frames.header(kind, self.request_id, payload), payload)

    def flush(self):
        """Returns whether nothing waits for the worker any more."""
        try:
            return self.unsent.flush()
        except OSError:
            return True  # it has ended; the router tells the host when it reaps it

    def read(self, outgoing):
        """Reads once, and adds to `outgoing` what is for the host.

        Returns (READ, NOTHING_YET or ENDED; the types of END and of frames for the router, in
        order).
        """
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return NOTHING_YET, ()
        except OSError:
            return ENDED, ()
        received = self._received + data
        notes = []
        start = position = 0
        end = len(received)
        while end - position >= frames.HEADER.size:
            length, kind, _ = frames.HEADER.unpack_from(received, position)
            after = position + frames.HEADER.size + length
            if after > end:
                break
            if kind in _FOR_ROUTER:
                outgoing.add(received[start:position])
                start = after
            if kind >= frames.END:
                notes.append(kind)
            position = after
        outgoing.add(received[start:position])
        self._received = received[position:]
        return READ if data else ENDED, notes


def fork_worker(router_fds):
    """Forks a worker, which closes the router's descriptors. Returns its handle.

    Raises OSError if the sandbox is at its limit of processes, memory or open files.
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
        _become_worker(theirs, (ours, *router_fds))
    os.close(theirs)
    return WorkerHandle(pid, ours)


def _become_worker(fd, closed):
    """Runs in the child.

    With a copy of another worker's socket it would keep that worker from seeing the router's end.
    """
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 2)
        for each in (null, *closed):
            os.close(each)
        worker.run_worker(fd)
        os._exit(0)
    finally:
        os._exit(1)
