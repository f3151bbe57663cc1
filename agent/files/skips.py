"""What a call skips, or does not look at as a whole: the reasons, and the answer's line for one."""

from files import file_names
from wire import messages

MAX_LISTED = 50

# PROTOCOL.md says what each reason means.
BINARY = "binary"
LINE_TOO_LONG = "line_too_long"
LINK = "link"
NOT_READABLE = "not_readable"
OUT_OF_MEMORY = "out_of_memory"
TIMED_OUT = "timed_out"
TOO_DEEP = "too_deep"


def line(path, reason):
    """Returns the line of an answer. `path` is text, from the workspace's root."""
    return messages.dumps(dict([file_names.member("path", path)], reason=reason)).encode() + b"\n"
