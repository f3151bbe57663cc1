"""The regular expression of a search."""

import re

_parser = getattr(re, "_parser", None) or __import__("sre_parse")  # its name before Python 3.11

_NEWLINE = 10


class BadPattern(Exception):
    """The pattern cannot be searched for. The message says why."""


class Pattern:
    """`find` returns the match object of the first match in a line, or None.

    `literal` is a text (ASCII, as bytes) that every line with a match contains. None if none is
    known.
    """

    def __init__(self, pattern):
        try:
            tree = _parser.parse(pattern)
            if _needs_newline(tree):
                raise BadPattern(
                    "The pattern is looked for in one line at a time, and this one needs a line end: give one line's part of it."
                )
            compiled = re.compile(_without_leading_any(pattern))
            literals = [] if compiled.flags & re.IGNORECASE else _literals(tree)
        except (re.error, RecursionError, OverflowError) as error:
            raise BadPattern("The pattern is no regular expression as Python has them: %s." % error)
        self.find = compiled.search
        self.literal = max(literals, key=len, default="").encode() or None


def _without_leading_any(pattern):
    """Returns the pattern without a `.*` at its beginning, which matches in the same lines.

    Python tries `.*x` from each place of a line to its end. That takes seconds for a long line.
    """
    for prefix in ("^.*", ".*"):
        rest = pattern[len(prefix) :]
        if pattern.startswith(prefix) and rest and rest[0] not in "*+?{":
            return rest
    return pattern


def _needs_newline(tree):
    return any(_item_needs_newline(str(operation), argument) for operation, argument in tree)


def _item_needs_newline(operation, argument):
    if operation == "LITERAL":
        return argument == _NEWLINE
    if operation == "IN":
        return all(str(kind) == "LITERAL" and value == _NEWLINE for kind, value in argument)
    if operation == "BRANCH":
        return all(_needs_newline(branch) for branch in argument[1])
    if operation.endswith("_REPEAT"):
        return argument[0] > 0 and _needs_newline(argument[2])
    if operation == "SUBPATTERN":
        return _needs_newline(argument[-1])
    return operation.startswith("ATOMIC") and _needs_newline(argument)


def _literals(tree):
    """Returns pieces of ASCII text that are in everything that the tree matches."""
    found = [""]
    for operation, argument in tree:
        name = str(operation)
        if name == "LITERAL" and argument < 0x80:
            found[-1] += chr(argument)
            continue
        if name == "SUBPATTERN" and not argument[1]:
            found += _literals(argument[-1])
        elif name.endswith("_REPEAT") and argument[0] > 0:
            found += _literals(argument[2])
        found.append("")
    return found
