"""Finds a line of a file, and quotes it in an error."""

_SHOWN_CHARACTERS = 70
_SHOWN_BEFORE = 25
_MAX_LINE_BYTES = 4 << 10


def line_number(content, at):
    """Returns the number, from 1, of the line that the place is in."""
    return content.count(b"\n", 0, at) + 1


def line_at(content, at):
    """Returns the line that the place is in, without its end."""
    end = content.find(b"\n", at)
    return content[content.rfind(b"\n", 0, at) + 1 : len(content) if end == -1 else end]


def text_of(line):
    """Returns the beginning of a line as text, without a character that is cut in two."""
    return line[:_MAX_LINE_BYTES].decode("utf-8", "ignore")


def quoted(text, other=""):
    """Returns the text in quotation marks, with escapes for invisible characters.

    Of a long text it returns the part where that differs from `other`.
    """
    start = 0
    if len(text) > _SHOWN_CHARACTERS:
        common = next((at for at, pair in enumerate(zip(text, other)) if pair[0] != pair[1]), 0)
        start = max(0, min(common - _SHOWN_BEFORE, len(text) - _SHOWN_CHARACTERS))
    part = text[start : start + _SHOWN_CHARACTERS]
    before = "..." if start else ""
    behind = "..." if start + _SHOWN_CHARACTERS < len(text) else ""
    return '"%s%s%s"' % (before, "".join(map(_visible, part)), behind)


def _visible(character):
    if character == "\t":
        return "\\t"
    if character.isprintable():
        return character
    code = ord(character)
    return "\\x%02x" % code if code < 0x100 else "\\u%04x" % code if code < 0x10000 else "\\U%08x" % code
