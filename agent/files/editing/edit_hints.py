"""Says why an edit does not apply, in words for its author. Loaded only after an edit has failed.

The work is bounded, because a file may have 16 MiB and an edit 2 MiB, and both may be hostile. So
it takes linear time, cuts long lines, and ends the search for the nearest place after a second.
"""
from files.editing import edit_forms
from files.editing.edit_nearest import Nearest
from files.editing.edit_text import line_at, line_number, quoted, text_of

_MAX_FORM_BYTES = 64 << 10
_MAX_LISTED = 4
_MIN_TELLING_BYTES = 8


def ambiguous(index, content, old, count):
    """Says that `old` is there `count` times instead of once."""
    return "edits[%d]: `old` matches %d times and not once, on lines %s: give more of what is around it, or `all: true`." % (
        index,
        count,
        _numbers(content, old),
    )


def _numbers(content, old):
    numbers = []
    at = content.find(old)
    number, counted = 1, 0
    while at != -1 and len(numbers) < _MAX_LISTED:
        number += content.count(b"\n", counted, at)
        counted = at
        numbers.append(str(number))
        at = content.find(old, at + 1)
    return ", ".join(numbers) + (" and more" if at != -1 else "")


def missing(index, content, old, new):
    """Says why `old` is not there. All three texts are bytes, with line feeds for line ends."""
    after_others = " Lines are counted as the edits before it leave them." if index else ""
    return "edits[%d]: `old` matches 0 times: %s%s" % (index, _reason(content, old, new), after_others)


def _reason(content, old, new):
    if not content:
        return "the file is empty."
    if not old.strip():
        return "it is white space alone, and the file has none like it."
    if len(old) <= _MAX_FORM_BYTES:
        if old.endswith(b"\n") and content.endswith(old[:-1]):
            number = line_number(content, len(content))
            return "it ends with a newline and the file does not (a missing last newline). Nearest is the last line, %d." % number
        for fault, original in edit_forms.originals(old):
            at = content.find(original) if original and original != old else -1
            if at != -1:
                return "%s. Without that it is on line %d, %s." % (fault, line_number(content, at), quoted(text_of(line_at(content, at))))
    nearest = Nearest(content, old)
    if not nearest.is_whole and len(new.strip()) >= _MIN_TELLING_BYTES and new in content:
        return "but `new` is there already, on line %d." % line_number(content, content.find(new))
    return nearest.explanation()
