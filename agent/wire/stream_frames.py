"""The frames of streams (PROTOCOL.md, "Streams"): their form, and how to make them."""

from wire import frames, messages

MAX_JSON = 4 << 10  # bytes of an OPEN, ACCEPT or RESET
_MAX_DETAIL = 300  # characters
_MAX_PORT = (1 << 16) - 1


def is_stream_frame(kind):
    return frames.STREAM_OPEN <= kind <= frames.STREAM_CREDIT


def check_form(kind, stream_id, payload):
    """Raises BadFrame if a stream frame of the host is malformed, whatever came before it."""
    size = len(payload)
    if kind == frames.STREAM_DATA:
        right = 0 < size <= frames.MAX_AGENT_PAYLOAD
    elif kind == frames.STREAM_EOF:
        right = size == 0
    elif kind == frames.STREAM_CREDIT:
        right = size == 4
    elif kind == frames.STREAM_OPEN:
        right = _is_id_of_host(stream_id) and _is_header(_object_in(payload))
    elif kind == frames.STREAM_RESET:
        right = _is_reason(_object_in(payload))
    else:
        right = _object_in(payload) is not None
    if not right:
        raise frames.BadFrame("malformed frame of type %d for stream %d" % (kind, stream_id))


def reset_frame(stream_id, code, detail):
    return frames.json_frame(frames.STREAM_RESET, stream_id, {"code": code, "detail": detail[:_MAX_DETAIL]})


def credit_frame(stream_id, size):
    return frames.frame(frames.STREAM_CREDIT, stream_id, size.to_bytes(4, "big"))


def _is_id_of_host(stream_id):
    return stream_id > 0 and stream_id % 2 == 0


def _object_in(payload):
    """Returns the JSON object, or None if the payload is none, or is too large."""
    if len(payload) > MAX_JSON:
        return None
    try:
        value = messages.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_header(header):
    """Whether an OPEN has what any kind of stream needs. A kind that is unknown is no breach."""
    if header is None or not isinstance(header.get("kind"), str):
        return False
    port = header.get("port", 0)
    return isinstance(header.get("address", ""), str) and type(port) is int and 0 <= port <= _MAX_PORT


def _is_reason(reason):
    if reason is None:
        return False
    code, detail = reason.get("code"), reason.get("detail")
    if not isinstance(code, str) or not isinstance(detail, str) or len(detail) > _MAX_DETAIL:
        return False
    return code != "" and all("A" <= letter <= "Z" or letter == "_" for letter in code)
