"""The agent's main process: carries frames between the host and the workers. It never blocks for long, and starts no commands."""

import os
import select
import sys
import time

from processes import memory, processes
from supervisor import worker
from wire import frames, messages
from wire.errors import end_code
from wire.frames import error_frame, frame
from wire.outbox import Outbox

MAX_BUSY_WORKERS = 64
_SPARE_WORKERS = 2
_SPARE_SECONDS = 5.0  # a spare worker beyond that number is kept for so long
_QUIET_SECONDS = 30.0  # and one beyond the first, which every request finds there
_MAX_OUTGOING = 256 << 10
_MAX_WAITING_FOR_WORKER = 4 << 20  # a REQUEST and the window of DATA take less
_KILL_GRACE_SECONDS = 3.0
_SWEEP_INTERVAL_MS = 20
# A frame of the largest payload and more. Over 128 KiB, the C library would map and unmap memory for every read.
_CHUNK = 80 << 10

_FOR_ROUTER = (frames.FREE, frames.BACKGROUND, frames.DELIVERING)
_READ, _NOTHING_YET, _ENDED = 0, 1, 2
_KILLED = "The call's process in the sandbox was killed."
_OUT_OF_MEMORY = "The sandbox ran out of memory, and the call's process in it was killed."


class Worker:
    """What the router knows of a worker."""

    def __init__(self, pid, fd):
        self.pid = pid
        self.fd = fd  # None once closed: it was retired, stays in the background, or has ended
        self.request_id = 0  # 0: it is idle
        self.deadline = None  # monotonic, s; past it the worker is lost
        self.cancelled = False
        self.kills = 0  # memory.kills() as its request began
        self.idle_since = 0.0
        self.received = b""  # the beginning of a frame
        self.unsent = Outbox(fd)


class Router:
    def __init__(self, channel_in, channel_out):
        self._in = channel_in
        self._out = channel_out
        os.set_blocking(channel_in, False)
        os.set_blocking(channel_out, False)
        self._from_host = frames.Reader(channel_in)
        self._outgoing = Outbox(channel_out)
        self._out_watched = False
        self._paused = False  # workers are not read, since the host does not take what they have sent
        self._wakeup = processes.open_wakeup()
        # No epoll: its registrations count against a limit that all sandboxes of one uid share.
        self._poll = select.poll()
        self._poll.register(channel_in, select.POLLIN)
        self._poll.register(self._wakeup, select.POLLIN)
        self._workers = {}  # by pid; all that live
        self._by_fd = {}
        self._by_request = {}
        self._idle = []
        self._strays = False
        self._refusal = ""  # why no worker could be forked, the last time

    def run(self):
        """Until the host closes the channel. Returns in a process whose workers end on their own, as their sockets close with it."""
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
                self._serve_worker(self._by_fd[fd], events)
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
            elif kind == frames.REQUEST:
                self._open_request(request_id, payload)
            else:
                self._forward(self._by_request.get(request_id), kind, payload)

    def _open_request(self, request_id, payload):
        if request_id in self._by_request:
            raise frames.BadFrame("request id %d is open" % request_id)
        if len(self._by_request) >= MAX_BUSY_WORKERS:
            self._outgoing.add(error_frame(request_id, "TOO_MANY_COMMANDS", "The session already runs %d calls." % MAX_BUSY_WORKERS))
            return
        if not self._idle and not self._fork_worker():
            self._outgoing.add(error_frame(request_id, "SANDBOX_EXHAUSTED", self._refusal))
            return
        chosen = self._idle.pop()
        chosen.request_id = request_id
        chosen.cancelled = False
        self._by_request[request_id] = chosen
        self._send(chosen, frames.REQUEST, payload)
        chosen.kills = memory.kills()  # after the request: it does not wait for this
        timeout_ms = messages.loads(payload).get("timeout_ms")
        if timeout_ms is not None:
            chosen.deadline = time.monotonic() + timeout_ms / 1000 + _KILL_GRACE_SECONDS
        self._keep_spare()

    def _forward(self, target, kind, payload):
        if target is None or target.fd is None:
            return  # it has ended, and the two crossed
        if kind == frames.CANCEL:
            target.cancelled = True
            target.deadline = time.monotonic() + _KILL_GRACE_SECONDS
        self._send(target, kind, payload)

    def _flush(self):
        self._outgoing.flush()
        if bool(self._outgoing) != self._out_watched:
            self._out_watched = not self._out_watched
            if self._out_watched:
                self._poll.register(self._out, select.POLLOUT)
            else:
                self._poll.unregister(self._out)
        paused = len(self._outgoing) > _MAX_OUTGOING
        if paused != self._paused:
            self._paused = paused
            for each in self._by_fd.values():
                self._watch(each)

    # ---- workers

    def _fork_worker(self):
        """False where the kernel refuses: the sandbox is at its limit of processes, memory or open files."""
        try:
            ours, theirs = processes.connected_pair()
        except OSError as error:
            self._refusal = end_code(error)[1]
            return False
        try:
            os.set_blocking(ours, False)
            pid = os.fork()
        except OSError as error:
            self._refusal = end_code(error)[1]
            os.close(ours)
            os.close(theirs)
            return False
        if pid == 0:
            self._become_worker(ours, theirs)
        os.close(theirs)
        forked = Worker(pid, ours)
        self._workers[pid] = self._by_fd[ours] = forked
        self._poll.register(ours, 0 if self._paused else select.POLLIN)
        self._rest(forked)
        return True

    def _become_worker(self, ours, theirs):
        """In the child. With a copy of another worker's socket it would keep that one from seeing the router's end."""
        try:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 2)
            for fd in (null, ours, self._in, self._out, self._wakeup, *self._by_fd):
                os.close(fd)
            worker.run_worker(theirs)
            os._exit(0)
        finally:
            os._exit(1)

    def _keep_spare(self):
        """Forks ahead, so that no request waits for it."""
        if not self._idle:
            self._fork_worker()

    def _rest(self, rested):
        rested.idle_since = time.monotonic()
        self._idle.append(rested)

    def _send(self, target, kind, payload):
        waits = bool(target.unsent)
        target.unsent.add(frames.header(kind, target.request_id, payload), payload)
        if waits or not self._flush_to(target):
            if len(target.unsent) > _MAX_WAITING_FOR_WORKER:
                processes.kill(target.pid)
            self._watch(target)

    def _flush_to(self, target):
        """Whether nothing waits for the worker any more."""
        try:
            return target.unsent.flush()
        except OSError:
            return True  # it has ended; _reap tells the host

    def _watch(self, watched):
        events = 0 if self._paused else select.POLLIN
        self._poll.modify(watched.fd, events | select.POLLOUT if watched.unsent else events)

    def _serve_worker(self, served, events):
        if events & select.POLLOUT:
            self._flush_to(served)
            self._watch(served)
        # An end is reported even while workers are not read: what it left is little, and looking away would bring the event back at once.
        if events & select.POLLHUP or events & select.POLLIN and len(self._outgoing) <= _MAX_OUTGOING:
            if self._read_worker(served) == _ENDED:
                self._release(served)

    def _read_worker(self, served):
        """Passes on what the worker has sent: _READ, _NOTHING_YET or _ENDED."""
        try:
            data = os.read(served.fd, _CHUNK)
        except BlockingIOError:
            return _NOTHING_YET
        except OSError:
            return _ENDED
        received = served.received + data
        start = position = 0
        end = len(received)
        while end - position >= frames.HEADER.size:
            length, kind, _ = frames.HEADER.unpack_from(received, position)
            after = position + frames.HEADER.size + length
            if after > end:
                break
            if kind in _FOR_ROUTER:
                self._outgoing.add(received[start:position])
                start = after
            if kind >= frames.END:
                self._note(served, kind)
            position = after
        self._outgoing.add(received[start:position])
        served.received = received[position:]
        return _READ if data else _ENDED

    def _note(self, served, kind):
        """Follows what a worker tells of itself."""
        if kind == frames.END:
            del self._by_request[served.request_id]
            served.request_id = 0
            served.deadline = None
        elif kind == frames.DELIVERING:
            if not served.cancelled:
                served.deadline = None
        elif kind == frames.FREE:
            self._rest(served)
        elif kind == frames.BACKGROUND:
            self._release(served)

    def _release(self, released):
        """Closes the worker's socket; it is known until it has ended, so that it is taken for no stray."""
        if released.fd is not None:
            del self._by_fd[released.fd]
            self._poll.unregister(released.fd)
            os.close(released.fd)
            released.fd = None
        if released in self._idle:
            self._idle.remove(released)

    # ---- the end of workers

    def _reap(self):
        processes.clear_wakeup(self._wakeup)
        statuses, _ = processes.reap()
        for pid, status in statuses.items():
            ended = self._workers.pop(pid, None)
            if ended is not None:
                self._bury(ended)
            # Killed, it left its command's processes to us: _expire ends them.
            self._strays = self._strays or ended is None or status != 0
        self._keep_spare()

    def _bury(self, ended):
        while ended.fd is not None and self._read_worker(ended) == _READ:
            pass
        self._release(ended)
        if ended.request_id:
            del self._by_request[ended.request_id]
            reason = _OUT_OF_MEMORY if memory.kills() > ended.kills else _KILLED
            self._outgoing.add(error_frame(ended.request_id, "SANDBOX_LOST", reason))

    # ---- time

    def _timeout(self):
        """Milliseconds until there is something to do without an event, or None."""
        if self._strays:
            return _SWEEP_INTERVAL_MS
        times = [each.deadline for each in self._by_request.values() if each.deadline is not None]
        if len(self._idle) > 1:
            times.append(self._spared_until())
        return processes.poll_ms(min(times)) if times else None

    def _spared_until(self):
        """Of the worker that has been idle longest. A session that rests keeps one: each costs about 3 MiB."""
        return self._idle[0].idle_since + (_SPARE_SECONDS if len(self._idle) > _SPARE_WORKERS else _QUIET_SECONDS)

    def _expire(self):
        now = time.monotonic()
        for each in self._by_request.values():
            if each.deadline is not None and each.deadline <= now:
                processes.kill(each.pid)
                each.deadline = None
        while len(self._idle) > 1 and self._spared_until() <= now:
            self._release(self._idle[0])
        if self._strays:
            self._strays = processes.kill_descendants(os.getpid(), self._workers) > 0
