"""Finds the two events of inotify that are one rename."""

from watching import inotify

# The kernel queues the two one after the other. Events of other processes may come in between.
_MAX_BETWEEN = 32


class Renames:
    def __init__(self):
        self.held = None  # a MOVED_FROM that was the last event so far

    def pair(self, events):
        """Takes (watch, mask, cookie, name). Returns (watch, mask, name, target) of each.

        `target` is (watch, name) if the event is a MOVED_FROM whose MOVED_TO has come. That one is
        left out then. A MOVED_FROM at the end is held until the next call, or until release().
        """
        if self.held is not None and events:
            events = [self.held, *events]
            self.held = None
        if events and events[-1][1] & inotify.MOVED_FROM:
            self.held = events.pop()
        paired = []
        taken = set()
        for index, (watch, mask, cookie, name) in enumerate(events):
            if index in taken:
                continue
            target = None
            if mask & inotify.MOVED_FROM:
                later = _find_target(events, index, cookie)
                if later is not None:
                    target = events[later][0], events[later][3]
                    taken.add(later)
            paired.append((watch, mask, name, target))
        return paired

    def release(self):
        """Returns what is held, as pair() does: it has left what is watched."""
        held, self.held = self.held, None
        return [] if held is None else [(held[0], held[1], held[3], None)]


def _find_target(events, index, cookie):
    for later in range(index + 1, min(index + 1 + _MAX_BETWEEN, len(events))):
        _, mask, its_cookie, _ = events[later]
        if mask & inotify.MOVED_TO and its_cookie == cookie:
            return later
    return None
