"""Where an edit matches, and what it writes, if its line ends and those of the file differ.

Callers do not see which line ends a file has. So a line end of an edit matches either kind, and the
file keeps its own. An edit that changes line ends and nothing else is made as it is given.
"""
from files.editing import occurrences

CRLF, LF, CR = b"\r\n", b"\n", b"\r"


def normal(text):
    """Returns the text with line feeds alone."""
    return text.replace(CRLF, LF)


def are_mixed(content):
    return 0 < content.count(CRLF) < content.count(LF)


def fitted(content, old, new):
    """Returns `old` and `new` with the line ends of a file that has one kind of them."""
    if LF not in content:
        return old, new
    end = CRLF if CRLF in content else LF
    return _ended(old, end), new if _differ_in_ends(old, new) else _ended(new, end)


def _ended(text, end):
    return normal(text).replace(LF, end) if end == CRLF else normal(text)


def _differ_in_ends(old, new):
    return old != new and normal(old) == normal(new)


class MixedEdit:
    """An edit of a file that has both kinds of line ends.

    A match of the very bytes counts before others, unless `everywhere` asks for all matches.
    """

    def __init__(self, content, old, new, everywhere):
        self.content = content
        self.old = old
        self.new = new
        self.everywhere = everywhere
        self._is_exact = not everywhere and old in content
        # Where matches are counted, and of what text.
        self.searched = (content, old) if self._is_exact else (normal(content), normal(old))
        self.count = self.searched[0].count(self.searched[1]) if everywhere else occurrences.count(*self.searched)

    def replacements(self):
        """Yields (start, end, the text that replaces what is between), in order."""
        if self._is_exact:
            start = self.content.find(self.old)
            end = start + len(self.old)
            if self.content[start - 1 : start + 1] == CRLF:
                start -= 1  # a match must not begin in the middle of a line end
            elif LF in self.old:
                yield start, end, self.new
                return
            yield start, end, self._written(start, end)
            return
        for start, end in self._places():
            yield start, end, self._written(start, end)

    def _places(self):
        searched, text = self.searched
        at = place = 0
        found = searched.find(text)
        while found != -1:
            start = _advance(self.content, place, found - at)
            place = _advance(self.content, start, len(text))
            yield start, place
            at = found + len(text)
            found = searched.find(text, at)

    def _written(self, start, end):
        if _differ_in_ends(self.old, self.new):
            return self.new
        lines = normal(self.new).split(LF)
        if len(lines) == 1:
            return lines[0]
        replaced = self.content[start:end]
        ends = [CRLF if line.endswith(CR) else LF for line in replaced.split(LF)[:-1]]
        if not ends:
            return self._end_near(start, end).join(lines)
        return _joined(lines, normal(replaced).split(LF), ends)

    def _end_near(self, start, end):
        """Returns the line end of the line that the place is in.

        If that is the last line and has none, it returns that of the line before.
        """
        at = self.content.find(LF, end)
        if at == -1:
            at = self.content.rfind(LF, 0, start)
        return CRLF if self.content[at - 1 : at] == CR else LF


def _advance(content, at, distance):
    """Returns the place in the content that is `distance` bytes of its normal form behind `at`."""
    while distance:
        ahead = at + distance
        distance = content.count(CRLF, at, ahead)
        at = ahead + 1 if content[ahead - 1 : ahead + 1] == CRLF else ahead
    return at


def _joined(lines, old_lines, old_ends):
    """Joins lines with line ends.

    The lines at the beginning and the end that stay keep theirs. Others take the most frequent one.
    """
    common = max((CRLF, LF), key=lambda end: (old_ends.count(end), old_ends[0] == end))
    ends = [common] * (len(lines) - 1)
    most = min(len(ends), len(old_ends))
    before = 0
    while before < most and lines[before] == old_lines[before]:
        ends[before] = old_ends[before]
        before += 1
    after = 0
    while after < most - before and lines[-1 - after] == old_lines[-1 - after] and lines[-2 - after] == old_lines[-2 - after]:
        ends[-1 - after] = old_ends[-1 - after]
        after += 1
    return b"".join(line + end for line, end in zip(lines, ends)) + lines[-1]
