"""Globs: `*` and `?` within a name, `**` over directories, `[a-z]`, `[!a-z]`, `{a,b}`."""

import re


class BadGlob(Exception):
    """The glob cannot be read. The message says why."""


NAME, BELOW, ROOT = "name", "below", "root"

_WILDCARDS = re.compile(r"[*?\[{\\]")


class Glob:
    """Says which paths below the directory `top` match. `top` is "" for the root.

    `of` says what is compared with the glob. NAME: the last name of a path. ROOT: the path from the
    workspace's root. BELOW: the path below `top` or from the root, because callers write either.
    Raises BadGlob, re.error, RecursionError and OverflowError.
    """

    def __init__(self, glob, of, top):
        self._match = re.compile(_translate(glob), re.DOTALL).fullmatch
        self._of_name = of == NAME
        # A path below `top` is compared with each of these in front of it.
        from_root = top + "/" if top else ""
        self._prefixes = [from_root] if of == ROOT or not top else ["", from_root]
        names = glob.split("/")[:-1]
        wildcard = next((at for at, name in enumerate(names) if _WILDCARDS.search(name)), len(names))
        self._plain_names = names[:wildcard]
        self._most_directories = None if "**" in glob or "{" in glob else len(names)

    def matches(self, path):
        if self._of_name:
            return self._match(path[path.rfind("/") + 1 :]) is not None
        return any(self._match(prefix + path) is not None for prefix in self._prefixes)

    def may_match_below(self, directory):
        """Returns False only if no path below that directory can match."""
        return self._of_name or any(self._leads_on(prefix + directory) for prefix in self._prefixes)

    def _leads_on(self, directory):
        names = directory.split("/")
        if self._most_directories is not None and len(names) > self._most_directories:
            return False
        both = min(len(names), len(self._plain_names))
        return names[:both] == self._plain_names[:both]


class Everything:
    """Takes the place of a glob if there is none."""

    @staticmethod
    def matches(path):
        return True

    may_match_below = matches


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
    """Adds a class. `at` is behind its bracket. Returns where it ends."""
    start = at + (glob[at : at + 1] in ("!", "^"))
    end = glob.find("]", start + 1)
    if end == -1:
        raise BadGlob("a `[` is not closed")
    members = glob[start:end].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^").replace("&", "\\&").replace("~", "\\~").replace("|", "\\|")
    parts.append("(?!/)[%s%s]" % ("^" if start > at else "", members))
    return end + 1
