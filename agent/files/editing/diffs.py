"""Unified diffs, in about the time that it takes to read both sides.

The standard library takes quadratic time, and more, if the same lines come again and again. A
hostile file and edit would keep a session busy for minutes. This aligns both sides by the lines
that are unique on each. It replaces a range without such lines as a whole.
"""

from bisect import bisect_left

_CONTEXT = 3
_MAX_LEVELS = 16
_NO_NEWLINE = b"\n\\ No newline at end of file\n"


def unified(old, new, path):
    """Yields the lines (bytes) of the diff of two contents. None if they are equal."""
    a, b = _lines(old), _lines(new)
    changes = _changes(a, b)
    if changes:
        yield b"--- %s\n" % _quoted(b"a/" + path)
        yield b"+++ %s\n" % _quoted(b"b/" + path)
    for hunk in _hunks(changes):
        yield from _hunk(a, b, hunk)


def _lines(content):
    lines = [line + b"\n" for line in content.split(b"\n")]
    last = lines.pop()[:-1]
    return lines + [last] if last else lines


def _changes(a, b):
    """Returns pairs of ranges in order, (a0, a1, b0, b1): a[a0:a1] became b[b0:b1].

    The lines between two pairs are the same in both.
    """
    changes = []
    pending = [(0, len(a), 0, len(b), 0)]
    while pending:
        a0, a1, b0, b1, level = pending.pop()
        while a0 < a1 and b0 < b1 and a[a0] == b[b0]:
            a0 += 1
            b0 += 1
        while a0 < a1 and b0 < b1 and a[a1 - 1] == b[b1 - 1]:
            a1 -= 1
            b1 -= 1
        if a0 == a1 and b0 == b1:
            continue
        anchors = _anchors(a, a0, a1, b, b0, b1) if level < _MAX_LEVELS else []
        if not anchors:
            changes.append((a0, a1, b0, b1))
            continue
        for i, j in anchors:
            pending.append((a0, i, b0, j, level + 1))
            a0, b0 = i + 1, j + 1
        pending.append((a0, a1, b0, b1, level + 1))
    changes.sort()
    return changes


def _anchors(a, a0, a1, b, b0, b1):
    """Returns (place in a, place in b) of lines that are unique in both ranges.

    They are the longest series that ascends in both.
    """
    in_a, in_b = _unique(a, a0, a1), _unique(b, b0, b1)
    pairs = [(i, in_b[line]) for line, i in in_a.items() if line in in_b]
    # For a series of each length: the least last place in b, and its pair. For each pair: the one
    # before it.
    tails, ends, before = [], [], []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(tails, j)
        tails[length : length + 1] = [j]
        ends[length : length + 1] = [index]
        before.append(ends[length - 1] if length else None)
    series = []
    index = ends[-1] if ends else None
    while index is not None:
        series.append(pairs[index])
        index = before[index]
    return series[::-1]


def _unique(lines, start, end):
    """Returns {line: its place}, in order, of the lines that are there once."""
    places = {}
    for place in range(start, end):
        places[lines[place]] = None if lines[place] in places else place
    return {line: place for line, place in places.items() if place is not None}


def _hunks(changes):
    """Yields lists of changes. Those of one list share lines of context."""
    hunk = []
    for change in changes:
        if hunk and change[0] - hunk[-1][1] > 2 * _CONTEXT:
            yield hunk
            hunk = []
        hunk.append(change)
    if hunk:
        yield hunk


def _hunk(a, b, changes):
    before = min(_CONTEXT, changes[0][0])
    a0, b0 = changes[0][0] - before, changes[0][2] - before
    after = min(_CONTEXT, len(a) - changes[-1][1])
    yield b"@@ -%s +%s @@\n" % (_range(a0, changes[-1][1] + after), _range(b0, changes[-1][3] + after))
    at = a0
    for from_a, to_a, from_b, to_b in changes:
        yield from (_line(b" ", line) for line in a[at:from_a])
        yield from (_line(b"-", line) for line in a[from_a:to_a])
        yield from (_line(b"+", line) for line in b[from_b:to_b])
        at = to_a
    yield from (_line(b" ", line) for line in a[at : at + after])


def _range(start, end):
    if end - start == 1:
        return b"%d" % (start + 1)
    # An empty range has the number of the line before it.
    return b"%d,%d" % (start + 1 if end > start else start, end - start)


def _line(mark, line):
    return mark + line if line.endswith(b"\n") else mark + line + _NO_NEWLINE


def _quoted(name):
    """Quotes and escapes a name that would break the line or is no UTF-8, as git does."""
    try:
        name.decode("utf-8")
        high = 0x100
    except UnicodeDecodeError:
        high = 0x80
    if all(0x20 <= byte < high and byte not in b'"\\\x7f' for byte in name):
        return name
    return b'"%s"' % b"".join(_escaped(byte, high) for byte in name)


def _escaped(byte, high):
    if byte in b'"\\':
        return b"\\%c" % byte
    return b"%c" % byte if 0x20 <= byte < high and byte != 0x7F else b"\\%03o" % byte
