"""The agent's main process. It carries frames between the host, the workers and the relay.

It never blocks for long, and it starts no commands.
"""

import os
import select
import sys
import time

from processes import killing, oom_kills, waiting
from supervisor.child_handle import ENDED, READ
from supervisor.lease import Lease
from supervisor.relay_handle import RelayHandle, fork_relay, lost_frames
from supervisor.worker_handle import fork_worker
from wire import frames, messages
from wire.errors import end_code
from wire.frames import error_frame, frame
from wire.outbox import Outbox
from wire.stream_frames import check_form, is_stream_frame, reset_frame

MAX_BUSY_WORKERS = 64
# The router keeps one idle worker always, for the next request. It keeps another one for
# _QUIET_SECONDS, and any more for _SPARE_SECONDS.
_SPARE_WORKERS = 2
_SPARE_SECONDS = 5.0
_QUIET_SECONDS = 30.0
_MAX_OUTGOING_BYTES = 256 << 10
_KILL_GRACE_SECONDS = 3.0
_SWEEP_INTERVAL_MS = 20

_KILLED = "The call's process in the sandbox was killed."
_OUT_OF_MEMORY = "The sandbox ran out of memory, and the call's process in it was killed."
_RELAY_KILLED = "The process that serves streams in the sandbox was killed."
_RELAY_OUT_OF_MEMORY = "The sandbox ran out of memory, and the process that serves streams in it was killed."


class Router:
    def __init__(self, channel_in, channel_out):
        self._in = channel_in
        self._out = channel_out
        os.set_blocking(channel_in, False)
        os.set_blocking(channel_out, False)
        self._from_host = frames.Reader(channel_in)
        self._outgoing = Outbox(channel_out)
        self._lease = Lease()
        self._out_watched = False
        self._paused = False  # it reads no worker, because the host does not take their output
        self._wakeup = waiting.open_wakeup()
        # No epoll: its registrations count against a limit that all sandboxes of one uid share.
        self._poll = select.poll()
        self._poll.register(channel_in, select.POLLIN)
        self._poll.register(self._wakeup, select.POLLIN)
        self._children = {}  # all workers and relays that live, by pid
        self._by_fd = {}
        self._relay = None  # the last one; it may have ended
        self._by_request = {}
        self._idle = []
        self._strays = False  # a killed worker may have left its command's processes
        self._refusal = ""  # why the last fork of a worker failed

    def run(self):
        """Runs until the host closes the channel, or the lease is over.

        The process is to exit then. Its workers see the end of their sockets, and end by
        themselves.
        """
        hello = {"protocol": 1, "python": "%d.%d.%d" % sys.version_info[:3], "pid": os.getpid()}
        self._outgoing.add(frames.json_frame(frames.HELLO, 0, hello))
        try:
            self._flush()
            self._keep_spare()
            while True:
                self._turn()
        except (EOFError, ConnectionError, frames.BadFrame):
            return

    def _turn(self):
        for fd, events in self._poll.poll(self._timeout()):
            if fd == self._in:
                self._read_host()
            elif fd == self._wakeup:
                self._reap()
            elif fd in self._by_fd:
                self._serve_child(self._by_fd[fd], events)
        self._flush()
        self._expire()

    # ---- the host

    def _read_host(self):
        try:
            received = self._from_host.read()
        except BlockingIOError:
            return
        for kind, request_id, payload in received:
            if kind == frames.PING:
                self._outgoing.add(frame(frames.PONG, 0))
            elif kind == frames.LEASE:
                self._lease.renew(frames.number(payload))
            elif kind == frames.REQUEST:
                self._open_request(request_id, payload)
            elif is_stream_frame(kind):
                check_form(kind, request_id, payload)
                self._forward_to_relay(kind, request_id, payload)
            else:
                self._forward(self._by_request.get(request_id), kind, payload)

    def _open_request(self, request_id, payload):
        if request_id in self._by_request:
            raise frames.BadFrame("request id %d is open" % request_id)
        if len(self._by_request) >= MAX_BUSY_WORKERS:
            self._outgoing.add(error_frame(request_id, "TOO_MANY_COMMANDS", "The session already runs %d calls." % MAX_BUSY_WORKERS))
            return
        if not self._idle and not self._add_worker():
            self._outgoing.add(error_frame(request_id, "SANDBOX_EXHAUSTED", self._refusal))
            return
        chosen = self._idle.pop()
        chosen.request_id = request_id
        chosen.cancelled = False
        self._by_request[request_id] = chosen
        self._send(chosen, frames.REQUEST, payload)
        chosen.oom_kills = oom_kills.count()  # it comes last: the request must not wait for it
        timeout_ms = messages.loads(payload).get("timeout_ms")
        if timeout_ms is not None:
            chosen.deadline = time.monotonic() + timeout_ms / 1000 + _KILL_GRACE_SECONDS
        self._keep_spare()

    def _forward(self, worker, kind, payload):
        if worker is None or worker.fd is None:
            return  # its request has ended, and the two crossed
        if kind == frames.CANCEL:
            worker.cancelled = True
            worker.deadline = time.monotonic() + _KILL_GRACE_SECONDS
        self._send(worker, kind, payload)

    def _forward_to_relay(self, kind, stream_id, payload):
        if self._relay is None or self._relay.fd is None:
            if kind != frames.STREAM_OPEN:
                return  # its stream has ended with the relay, and the two crossed
            if not self._add_relay():
                self._outgoing.add(reset_frame(stream_id, "SANDBOX_EXHAUSTED", self._refusal))
                return
        self._send(self._relay, kind, stream_id, payload)

    def _flush(self):
        self._outgoing.flush()
        if bool(self._outgoing) != self._out_watched:
            self._out_watched = not self._out_watched
            if self._out_watched:
                self._poll.register(self._out, select.POLLOUT)
            else:
                self._poll.unregister(self._out)
        paused = len(self._outgoing) > _MAX_OUTGOING_BYTES
        if paused != self._paused:
            self._paused = paused
            for each in self._by_fd.values():
                self._watch(each)

    # ---- workers and the relay

    def _add_worker(self):
        """Returns whether the kernel let the router fork one."""
        forked = self._add_child(fork_worker)
        if forked is not None:
            self._rest(forked)
        return forked is not None

    def _add_relay(self):
        """Returns whether the kernel let the router fork one."""
        # The host may still send frames for streams of an earlier relay. So no id is used again.
        last_id = 0 if self._relay is None else self._relay.last_id
        forked = self._add_child(fork_relay, last_id)
        if forked is not None:
            forked.oom_kills = oom_kills.count()
            self._relay = forked
        return forked is not None

    def _add_child(self, fork, *arguments):
        """Returns the new child. None if the kernel refuses it; `_refusal` says why."""
        try:
            forked = fork((self._in, self._out, self._wakeup, *self._by_fd), *arguments)
        except OSError as error:
            self._refusal = end_code(error)[1]
            return None
        self._children[forked.pid] = self._by_fd[forked.fd] = forked
        self._poll.register(forked.fd, 0 if self._paused else select.POLLIN)
        return forked

    def _keep_spare(self):
        """Forks ahead, so that no request waits for a fork."""
        if not self._idle:
            self._add_worker()

    def _rest(self, worker):
        worker.idle_since = time.monotonic()
        self._idle.append(worker)

    def _send(self, child, *frame_parts):
        waits = bool(child.unsent)
        child.queue_frame(*frame_parts)
        if waits or not child.flush():
            if len(child.unsent) > child.max_unsent:
                killing.kill(child.pid)
            self._watch(child)

    def _watch(self, child):
        events = 0 if self._paused else select.POLLIN
        self._poll.modify(child.fd, events | select.POLLOUT if child.unsent else events)

    def _serve_child(self, child, events):
        if events & select.POLLOUT:
            child.flush()
            self._watch(child)
        # The end of a child is read even while the router is paused. What the child left is
        # little, and poll() would report the end again at once.
        if events & select.POLLHUP or events & select.POLLIN and len(self._outgoing) <= _MAX_OUTGOING_BYTES:
            if self._read_child(child) == ENDED:
                self._release(child)

    def _read_child(self, child):
        state, notes = child.read(self._outgoing)
        for kind in notes:
            self._note(child, kind)
        return state

    def _note(self, worker, kind):
        """Follows what a worker says of itself."""
        if kind == frames.END:
            del self._by_request[worker.request_id]
            worker.request_id = 0
            worker.deadline = None
        elif kind == frames.DELIVERING:
            if not worker.cancelled:
                worker.deadline = None
        elif kind == frames.FREE:
            self._rest(worker)
        elif kind == frames.BACKGROUND:
            self._release(worker)

    def _release(self, child):
        """Closes the child's socket. It stays in `_children` until it ends, or it were a stray."""
        if child.fd is not None:
            del self._by_fd[child.fd]
            self._poll.unregister(child.fd)
            os.close(child.fd)
            child.fd = None
        if child in self._idle:
            self._idle.remove(child)

    # ---- the end of children

    def _reap(self):
        waiting.clear_wakeup(self._wakeup)
        statuses, _ = waiting.reap()
        for pid, status in statuses.items():
            ended = self._children.pop(pid, None)
            if ended is not None:
                self._bury(ended)
            # A worker that was killed left its command's processes to the router. _expire kills
            # them.
            self._strays = self._strays or ended is None or status != 0
        self._keep_spare()

    def _bury(self, child):
        """Passes on the last output of a child that has ended, and ends what it served."""
        while child.fd is not None and self._read_child(child) == READ:
            pass
        self._release(child)
        out_of_memory = oom_kills.count() > child.oom_kills
        if isinstance(child, RelayHandle):
            self._outgoing.add(lost_frames(child, _RELAY_OUT_OF_MEMORY if out_of_memory else _RELAY_KILLED))
        elif child.request_id:
            del self._by_request[child.request_id]
            reason = _OUT_OF_MEMORY if out_of_memory else _KILLED
            self._outgoing.add(error_frame(child.request_id, "SANDBOX_LOST", reason))

    # ---- time

    def _timeout(self):
        """Returns the ms until there is something to do without an event, or None."""
        if self._strays:
            return _SWEEP_INTERVAL_MS
        times = [each.deadline for each in self._by_request.values() if each.deadline is not None]
        if len(self._idle) > 1:
            times.append(self._spared_until())
        if self._lease.until is not None:
            times.append(self._lease.until)
        return waiting.poll_ms(min(times)) if times else None

    def _spared_until(self):
        """Returns when the longest idle worker is to go. Each worker costs about 3 MiB."""
        return self._idle[0].idle_since + (_SPARE_SECONDS if len(self._idle) > _SPARE_WORKERS else _QUIET_SECONDS)

    def _expire(self):
        now = time.monotonic()
        for each in self._by_request.values():
            if each.deadline is not None and each.deadline <= now:
                killing.kill(each.pid)
                each.deadline = None
        while len(self._idle) > 1 and self._spared_until() <= now:
            self._release(self._idle[0])
        if self._strays:
            self._strays = killing.kill_descendants(os.getpid(), self._children) > 0
        if self._lease.expire(now):
            raise EOFError
