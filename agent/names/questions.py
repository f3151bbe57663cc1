"""The names that the host is asked for, and the queries that wait for each."""

import time

_MAX_NAMES = 64
# A program may start a hundred others at once, and each asks twice, for both kinds of addresses.
_MAX_QUERIES = 512  # of all names
_SECONDS = 8.0


class _Question:
    __slots__ = ("deadline", "queries", "sent")

    def __init__(self):
        self.deadline = None  # monotonic, s; None if no query waits
        self.queries = []
        self.sent = False


class Questions:
    """A query may be any value. The host has at most 64 questions, each for another name."""

    def __init__(self):
        self._by_name = {}
        self._waiting = 0

    def add(self, name, query):
        """Returns whether there was room for one more query."""
        if self._waiting >= _MAX_QUERIES:
            return False
        question = self._by_name.get(name)
        if question is None:
            if len(self._by_name) >= _MAX_NAMES:
                return False
            question = self._by_name[name] = _Question()
        if not question.queries:
            question.deadline = time.monotonic() + _SECONDS
        question.queries.append(query)
        self._waiting += 1
        return True

    def first_unsent(self):
        """Returns the name that waits longest for note_sent(), or None."""
        for name, question in self._by_name.items():
            if not question.sent:
                return name
        return None

    def note_sent(self, name):
        self._by_name[name].sent = True

    def take(self, name):
        """Returns the queries that wait for the name, and forgets it: the host has answered."""
        question = self._by_name.pop(name, None)
        if question is None:
            return ()
        self._waiting -= len(question.queries)
        return question.queries

    def take_expired(self):
        """Returns the queries of all names that have waited too long.

        A question that the host has stays here, so that the host never has it twice.
        """
        now = time.monotonic()
        expired = []
        for name, question in list(self._by_name.items()):
            if question.deadline is not None and question.deadline <= now:
                expired += question.queries
                self._waiting -= len(question.queries)
                question.queries = []
                question.deadline = None
                if not question.sent:
                    del self._by_name[name]
        return expired

    def deadline(self):
        """Returns when the next name has waited too long (monotonic, s), or None."""
        waiting = (question.deadline for question in self._by_name.values())
        return min((each for each in waiting if each is not None), default=None)
