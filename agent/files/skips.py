"""What a call has not looked at, or not all of it: why, and the line of its answer that says so."""

from files import file_names
from wire import messages

MAX_LISTED = 50

# The reasons. PROTOCOL.md says what each means.
BINARY = "binary"
LINE_TOO_LONG = "line_too_long"
LINK = "link"
NOT_READABLE = "not_readable"
OUT_OF_MEMORY = "out_of_memory"
TIMED_OUT = "timed_out"
TOO_DEEP = "too_deep"


def line(path, reason):
    """`path` is text, from the workspace's root."""
    return messages.dumps(dict([file_names.member("path", path)], reason=reason)).encode() + b"\n"
