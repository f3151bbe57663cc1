"""The router's side of a worker."""

from supervisor import worker
from supervisor.child_handle import ChildHandle, each_frame, fork_child
from wire import frames

# These frames are for the router. It passes the others on to the host.
_FOR_ROUTER = (frames.FREE, frames.BACKGROUND, frames.DELIVERING)


class WorkerHandle(ChildHandle):
    max_unsent = 4 << 20  # a REQUEST and the window of DATA take less

    def __init__(self, pid, fd):
        super().__init__(pid, fd)
        self.request_id = 0  # 0: the worker is idle
        self.deadline = None  # monotonic, s; the router kills the worker then
        self.cancelled = False
        self.idle_since = 0.0

    def queue_frame(self, kind, payload):
        self.unsent.add(frames.header(kind, self.request_id, payload), payload)

    def _pass_on(self, received, outgoing):
        notes = []
        start = position = 0
        for kind, _, begin, position in each_frame(received):
            if kind in _FOR_ROUTER:
                outgoing.add(received[start:begin])
                start = position
            if kind >= frames.END:
                notes.append(kind)
        outgoing.add(received[start:position])
        return position, notes


def fork_worker(router_fds):
    """Forks a worker. Raises OSError, as fork_child does."""
    return WorkerHandle(*fork_child(worker.run_worker, router_fds))
