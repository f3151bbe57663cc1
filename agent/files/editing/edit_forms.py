"""Changes that a text takes on its way from a file to an edit, when it is shown, sent or copied."""

_ESCAPES = ((b"\\n", b"\n"), (b"\\t", b"\t"), (b'\\"', b'"'), (b"\\'", b"'"), (b"\\\\", b"\\"))
_ENTITIES = ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&#39;", b"'"), (b"&apos;", b"'"), (b"&amp;", b"&"))
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NUMBER_ENDS = (b"\t", "\u2192".encode(), b": ", b":", b" | ", b"|", b"- ", b"-", b". ", b")")
_MAX_DIGITS = 7
_FENCE = b"```"


def originals(old):
    """Yields (what may be wrong with `old`, `old` without that) for each fault that it may have."""
    yield "it ends or begins with line ends that the file does not have there", old.strip(b"\n")
    for text in _without_numbers(old):
        yield "its lines begin with line numbers", text
    for text in _without_marks(old):
        yield "its lines begin with the marks of a diff", text
    yield "it is in a code fence", _without_fence(old)
    yield "it has escapes such as \\n for the characters themselves", _replaced(old, _ESCAPES)
    yield "it has line ends where the file has \\n, as two characters", old.strip(b"\n").replace(b"\n", b"\\n")
    yield "it has entities such as &lt; for the characters themselves", _replaced(old, _ENTITIES)
    yield "it has characters for which the file has entities such as &lt;", _replaced(old, [pair[::-1] for pair in reversed(_ENTITIES) if pair[0] != b"&apos;"])
    if old.startswith(_BYTE_ORDER_MARK):
        yield "it begins with a byte order mark", old[len(_BYTE_ORDER_MARK) :]


def _replaced(text, pairs):
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _without_fence(old):
    lines = old.strip(b"\n").split(b"\n")
    if len(lines) > 2 and lines[0].startswith(_FENCE) and lines[-1] == _FENCE:
        return b"\n".join(lines[1:-1])
    return old


def _without_marks(old):
    lines = old.strip(b"\n").split(b"\n")
    if all(line[:1] in (b" ", b"+", b"-", b"") for line in lines) and any(line[:1] in (b"+", b"-") for line in lines):
        for left_out in (b"+", b"-"):
            yield b"\n".join(line[1:] for line in lines if line[:1] != left_out)


def _without_numbers(old):
    lines = old.strip(b"\n").split(b"\n")
    for end in _NUMBER_ENDS:
        stripped = [_without_number(line, end) for line in lines]
        if None not in stripped:
            yield b"\n".join(stripped)


def _without_number(line, end):
    """Returns the line without its number. None if it does not begin with a number and `end`."""
    rest = line.lstrip(b" ").lstrip(b"0123456789")
    number = line[: len(line) - len(rest)].strip()
    if not number or len(number) > _MAX_DIGITS:
        return None
    if rest.startswith(end):
        return rest[len(end) :]
    # An editor may have removed the blank at the end of an empty line.
    return b"" if rest and rest == end.rstrip(b" ") else None
