"""Globs as a regular expression: `*` and `?` within a name, `**` over directories, `[a-z]`, `[!a-z]`, `{a,b}`."""

import re


class BadGlob(Exception):
    """The message says what is wrong."""


def matcher(glob):
    """A function that says whether a path matches. A glob without a slash is for the name alone, in whatever directory."""
    match = re.compile(_translate(glob), re.DOTALL).fullmatch
    if "/" in glob:
        return lambda path: match(path) is not None
    return lambda path: match(path[path.rfind("/") + 1 :]) is not None


def _translate(glob):
    parts = []
    depth = 0
    at = 0
    while at < len(glob):
        rest = glob[at:]
        character = glob[at]
        at += 1
        if rest.startswith("**/") and (at == 1 or glob[at - 2] == "/"):
            parts.append("(?:[^/]+/)*")
            at += 2
        elif rest.startswith("**"):
            parts.append(".*")
            at += 1
        elif character == "*":
            parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        elif character == "[":
            at = _add_class(glob, at, parts)
        elif character == "{":
            depth += 1
            parts.append("(?:")
        elif character == "}" and depth:
            depth -= 1
            parts.append(")")
        elif character == "," and depth:
            parts.append("|")
        else:
            if character == "\\" and at < len(glob):
                character = glob[at]
                at += 1
            parts.append(re.escape(character))
    if depth:
        raise BadGlob("a `{` is not closed")
    return "".join(parts)


def _add_class(glob, at, parts):
    """`at` is behind the bracket; where the class ends."""
    start = at + (glob[at : at + 1] in ("!", "^"))
    end = glob.find("]", start + 1)
    if end == -1:
        raise BadGlob("a `[` is not closed")
    members = glob[start:end].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^").replace("&", "\\&").replace("~", "\\~").replace("|", "\\|")
    parts.append("(?!/)[%s%s]" % ("^" if start > at else "", members))
    return end + 1
