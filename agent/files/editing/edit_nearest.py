"""Finds the place in a file that is most like a text which is not in the file.

It compares lines in their canonical form (edit_differences.py). It looks for the longest lines of
the text in the file. Around each that it finds, it compares the whole text with the file. If it
finds none, the nearest line is the one with the most words in common.
"""

import time

from files.editing.edit_differences import canonical, differences
from files.editing.edit_text import quoted, text_of

_MAX_SECONDS = 1.0
_CHECK_BYTES = 64 << 10  # between two looks at the clock
_MAX_ASCII_BYTES = 64 << 10  # of a line; the rest of a longer one is ignored
# The same for a line that is not ASCII. To compose characters can take quadratic time.
_MAX_OTHER_BYTES = 4 << 10
_MAX_OLD_LINES = 2000
_MAX_ANCHORS = 8
_MAX_PLACES = 50
_MAX_DIFFERING = 200
_MAX_WORDS = 8
_MIN_WORD_BYTES = 3
_MAX_ALIKE = 30
_MAX_COMPARED_BYTES = 300


class Place:
    """The result of a comparison of `old` with the lines of the file from one line on.

    `same` counts the lines whose canonical forms agree. `differing` has those of them that are not
    equal. `unlike` is the first line that does not agree. A line is (index in `old`, number from 1,
    line). `ends_early` says that the file ends before `old`, of which only line ends are left.
    """

    def __init__(self):
        self.same = 0
        self.differing = []
        self.unlike = None
        self.ends_early = False

    @property
    def is_whole(self):
        return self.unlike is None


class Nearest:
    """The nearest place. All texts are bytes, with line feeds for line ends."""

    def __init__(self, content, old):
        self._content = content
        self._old = [_cut(line) for line in old.split(b"\n", _MAX_OLD_LINES)[:_MAX_OLD_LINES]]
        self._wanted = [canonical(line) for line in self._old]
        self._last = len(self._old) - 1
        self._anchors = self._choose_anchors()
        self._deadline = time.monotonic() + _MAX_SECONDS
        self._place = None
        self._alike = None
        starts, alike = self._look()
        for start in starts:
            place = self._compare_at(*start)
            if self._place is None or place.is_whole or place.same > self._place.same:
                self._place = place
            if place.is_whole or time.monotonic() > self._deadline:
                break
        if self._place is None and alike:
            pairs = _pairs(self._old[self._anchors[0]])
            self._alike = max(alike, key=lambda each: (_likeness(pairs, _pairs(each[1])), -each[0]))

    @property
    def is_whole(self):
        """Returns whether `old` is there, but for differences that are hard to see."""
        return self._place is not None and self._place.is_whole

    def explanation(self):
        if self.is_whole:
            return self._invisible_differences()
        if self._place is not None:
            return self._unlike(*self._place.unlike)
        if self._alike is not None:
            return self._unlike(self._anchors[0], *self._alike)
        return "nothing in the file is like it. Read the file again."

    def _unlike(self, index, number, line):
        line, old = text_of(line), text_of(self._old[index])
        return "nearest is line %d, %s, where `old` has %s." % (number, quoted(line, old), quoted(old, line))

    def _invisible_differences(self):
        names = []
        for index, _, line in self._place.differing:
            agrees = lambda old, text, index=index: self._agrees(index, old, text)  # noqa: E731
            for name in differences(text_of(self._old[index]), text_of(line), agrees):
                if name not in names:
                    names.append(name)
        if self._place.ends_early:
            names.append("a missing last newline")
        told = "it differs from the file in %s" % (", ".join(names) or "line ends")
        if not self._place.differing:
            return told + "."
        index, number, line = self._place.differing[0]
        return "%s. Nearest is line %d, %s." % (told, number, quoted(text_of(line), text_of(self._old[index])))

    # ---- where to compare `old` with the file

    def _choose_anchors(self):
        """Returns the indexes of the longest lines of `old`, the longest first."""
        indexes = {form: index for index, form in reversed(list(enumerate(self._wanted))) if form}
        return [indexes[form] for form in sorted(indexes, key=len, reverse=True)[:_MAX_ANCHORS]]

    def _look(self):
        """Goes through the file.

        Returns (arguments of _compare_at for each place, lines that have words of `old`).
        """
        words = _words(self._old[self._anchors[0]]) if self._anchors else []
        starts = {}
        alike = []
        most = 1
        checked = 0
        for number, start, end in _lines(self._content, 0):
            if start - checked > _CHECK_BYTES:
                checked = start
                if time.monotonic() > self._deadline:
                    break
            line = _cut(self._content[start : min(end, start + _MAX_ASCII_BYTES)])
            form = canonical(line)
            for index in self._anchors:
                if number > index and self._agrees(index, self._wanted[index], form):
                    starts.setdefault(number - index, (number - index, start, index))
            if len(starts) >= _MAX_PLACES:
                break
            common = 0 if starts else sum(word in line for word in words)
            if common > most:
                most, alike = common, []
            if common == most and len(alike) < _MAX_ALIKE:
                alike.append((number, line))
        return sorted(starts.values()), alike

    def _agrees(self, index, old, text):
        """Returns whether a line of the file matches a line of `old`.

        The first line of `old` may be the end of a line, and the last one the beginning.
        """
        if index == 0:
            return old in text if self._last == 0 else text.endswith(old)
        return text.startswith(old) if index == self._last else text == old

    # ---- the comparison

    def _compare_at(self, first, start, index):
        """Compares `old` with the file from line `first` on. Returns the Place.

        `start` is where the line of the file begins that matches line `index` of `old`.
        """
        for _ in range(index):
            start = self._content.rfind(b"\n", 0, start - 1) + 1
        place = Place()
        lines = _lines(self._content, start)
        for index, old in enumerate(self._old):
            offset, begin, end = next(lines, (0, 0, 0))
            if not offset:
                if any(self._wanted[index:]):
                    place.unlike = place.unlike or (index, first + index - 1, b"")
                else:
                    # After the newline that ends a file there is one more line, which is empty.
                    place.ends_early = index < self._last or not self._content.endswith(b"\n")
                break
            line = _cut(self._content[begin : min(end, begin + _MAX_ASCII_BYTES)])
            number = first + index
            if not self._agrees(index, self._wanted[index], canonical(line)):
                place.unlike = place.unlike or (index, number, line)
            else:
                place.same += bool(self._wanted[index])
                if len(place.differing) < _MAX_DIFFERING and not self._agrees(index, old, line):
                    place.differing.append((index, number, line))
        return place


def _lines(content, at):
    """Yields (number from 1, start, end without the newline) of each line from `at` on."""
    number = 0
    while at < len(content):
        number += 1
        end = content.find(b"\n", at)
        if end == -1:
            end = len(content)
        yield number, at, end
        at = end + 1


def _cut(line):
    line = line[:_MAX_ASCII_BYTES]
    return line if line.isascii() else line[:_MAX_OTHER_BYTES]


def _words(line):
    """Returns the longest words of a line."""
    letters = bytes(byte if bytes([byte]).isalnum() or byte >= 0x80 or byte == 0x5F else 0x20 for byte in line[:_MAX_COMPARED_BYTES])
    words = {word for word in letters.split() if len(word) >= _MIN_WORD_BYTES}
    return sorted(words, key=lambda word: (-len(word), word))[:_MAX_WORDS]


def _pairs(line):
    text = canonical(line[:_MAX_COMPARED_BYTES])
    return set(zip(text, text[1:]))


def _likeness(pairs, others):
    """Returns the share of the pairs of bytes that both have, from 0 to 1."""
    return 2 * len(pairs & others) / (len(pairs) + len(others) or 1)
