"""read: a file, or a part of it."""

import os

from files import checks, conditions, paths
from wire import frames, messages
from wire.errors import RequestError

_CHUNK = frames.MAX_AGENT_PAYLOAD
_BEGINNING = 512  # bytes; from them the host tells what kind of file it is


def read_file(channel, request):
    with paths.resolve(request["path"]) as place:
        checks.check_regular(place.stat())
        file = place.open(os.O_RDONLY)
    try:
        status = os.fstat(file)
        checks.check_regular(status)
        tag = conditions.etag(status)
        offset, length = _part(channel, file, status.st_size, tag, request)
        pieces = [(offset, length)]
        head = {"size": status.st_size, "modified": status.st_mtime, "etag": tag}
        if request.get("excerpt"):
            beginning = os.pread(file, _BEGINNING, 0)
            pieces = _excerpt(request["excerpt"], beginning, status.st_size, offset, length)
            head["beginning"] = beginning.hex()
            head["omitted"] = max(0, length - sum(length for _, length in pieces))
        head["offset"] = pieces[0][0]
        head["length"] = sum(length for _, length in pieces)
        output = messages.dumps(head).encode() + b"\n"
        for piece in pieces:
            output = _send(channel, file, output, *piece)
        channel.send_output(output)
        return {}
    finally:
        os.close(file)


def _send(channel, file, output, offset, length):
    """Sends the output, and behind it that part of the file.

    If the part is empty, it sends nothing and returns the output. Else it returns b"".
    """
    while length:
        # The output fills up full frames. Then the host's credit comes in full frames too, and no
        # frame has to be cut for want of credit.
        chunk = os.pread(file, min(length, _CHUNK - len(output) % _CHUNK), offset)
        if not chunk:
            raise RequestError("INTERNAL_ERROR", "The file became shorter while it was read.")
        offset += len(chunk)
        length -= len(chunk)
        channel.send_output(output + chunk, more=True)
        output = b""
    return output


def _excerpt(excerpt, beginning, size, offset, length):
    """Returns [(offset, length)] of what is sent of a part: the part's two ends.

    If the file begins as one that is to be sent whole, that is all of the file.
    """
    if size <= excerpt["max_whole"] and any(_begins(beginning.hex(), each) for each in excerpt["whole"]):
        return [(0, size)]
    head, tail = excerpt["head"], excerpt["tail"]
    if length <= head + tail:
        return [(offset, length)]
    return [(offset, head), (offset + length - tail, tail)]


def _begins(found, pattern):
    """Both are hexadecimal. A dot in the pattern stands for any digit."""
    return len(found) >= len(pattern) and all(digit in (".", other) for digit, other in zip(pattern, found))


def _part(channel, file, size, tag, request):
    """Returns (offset, length) of the part that the request asks for.

    Raises RequestError FILE_TOO_LARGE if that is more than the request takes.
    """
    most = request["max_length"]
    if request.get("lines"):
        from files import lines

        return lines.span(channel, file, size, *request["lines"], most)
    if request.get("if_range") not in (None, tag):
        offset, length = 0, size
    else:
        offset, length = _range(size, request["offset"], request["length"])
    if most and length > most:
        what = "The file has" if length == size else "This part of the file has"
        raise RequestError("FILE_TOO_LARGE", "%s %d bytes, and this answer holds %d at most." % (what, length, most))
    return offset, length


def _range(size, offset, length):
    """Returns (offset, length) of a range in a file of this size.

    A negative offset counts from the end.
    """
    if offset < 0:
        offset = max(0, size + offset)
    elif offset >= size and not (offset == 0 and length is None):
        raise RequestError("RANGE_NOT_SATISFIABLE", "The file has %d bytes." % size)
    rest = size - offset
    return offset, rest if length is None else min(length, rest)
