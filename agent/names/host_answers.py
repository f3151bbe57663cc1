"""The host's lines on a stream of the kind `resolver` (PROTOCOL.md)."""

from wire import messages

MAX_LINE = 512  # bytes, with the line's end
ALLOWED, REFUSED, FAILED = 0, 1, 2

_MAX_PORTS = 16


def parse_answer(line):
    """Returns (name, outcome, ports). Raises ValueError if the line is malformed."""
    try:
        answer = messages.loads(line)
    except RecursionError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("name"), str):
        raise ValueError("no name")
    name = answer["name"]
    if answer.get("refused") is True:
        return name, REFUSED, ()
    if answer.get("failed") is True:
        return name, FAILED, ()
    ports = answer.get("ports")
    if not isinstance(ports, list) or len(ports) > _MAX_PORTS or not all(map(_is_port, ports)):
        raise ValueError("no outcome")
    return name, ALLOWED, ports


def _is_port(value):
    return type(value) is int and 0 < value < 1 << 16
