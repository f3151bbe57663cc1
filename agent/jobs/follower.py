"""Follows one stream of a job for a reader that takes it at its own speed."""

import time

from wire import frames, messages
from wire.errors import RequestError

# So many bytes may wait for the reader. The others stay in the ring alone.
_ROOM = 256 << 10


class Follower:
    """The answer to one question for a stream: a line of JSON, then the bytes as they come.

    It holds no byte back for its reader. If the ring drops a byte that the reader has not had, the
    answer ends with an error, because nothing in the bytes could tell the gap.
    """

    def __init__(self, ring, question):
        """Raises RequestError if there is no byte at the offset any more, or not yet."""
        offset = question["offset"]
        self._ring = ring
        self._offset = ring.start if offset is None else offset
        if self._offset > ring.stop:
            raise RequestError("RANGE_NOT_SATISFIABLE", "The stream has %d bytes." % ring.stop)
        self._check_kept()
        limit = question["limit"]
        self._end = None if limit is None else self._offset + limit  # where the answer ends
        # Monotonic, s. None once it follows no more.
        self.ends_at = time.monotonic() + question["follow_ms"] / 1000
        self.head = frames.frame(frames.OUT, 0, messages.dumps({"offset": self._offset}).encode() + b"\n")

    def feed(self, outbox, ended):
        """Queues what there is and the reader has room for.

        `ended` says that the stream grows no more. Returns None, or the `ok` of the answer once all
        of it is queued. Raises RequestError.
        """
        ring = self._ring
        if self.ends_at is not None and time.monotonic() >= self.ends_at:
            self.stop_following()
        end = self._present_end
        while self._offset < end and len(outbox) < _ROOM:
            self._check_kept()
            view = ring.view(self._offset, min(end - self._offset, frames.MAX_AGENT_PAYLOAD))
            outbox.add(frames.header(frames.OUT, 0, view), view)
            self._offset += len(view)
        eof = ended and self._offset == ring.stop
        return {"next_offset": self._offset, "eof": eof} if eof or self._offset == self._end else None

    @property
    def behind(self):
        """Returns whether the ring has bytes of the answer that are not queued yet."""
        return self._offset < self._present_end

    @property
    def _present_end(self):
        return self._ring.stop if self._end is None else min(self._end, self._ring.stop)

    def stop_following(self):
        """Lets the answer end with the last byte that is there now."""
        self.ends_at = None
        self._end = self._present_end

    def _check_kept(self):
        if self._offset < self._ring.start:
            detail = "The bytes before offset %d are dropped already. Read on from there, or give no offset."
            raise RequestError("RANGE_NOT_SATISFIABLE", detail % self._ring.start)
