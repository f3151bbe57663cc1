"""Names what differs between two lines that look the same."""

import unicodedata

_BLANKS = " \t\x0b\x0c\r"
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"

_TO_SPACE = dict.fromkeys(map(ord, _SPACES), " ")
_TO_NOTHING = dict.fromkeys(map(ord, _INVISIBLE))
_TO_QUOTE = {**dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032"), "'"), **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033"), '"')}
_TO_DASH = {**dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-"), 0x2026: "..."}
_NO_BLANKS = dict.fromkeys(map(ord, _BLANKS))

_NORMAL_FORM = "Unicode normal form"
# They are applied, and named, in this order.
_STEPS = {
    "non-breaking spaces": lambda text: text.translate(_TO_SPACE),
    "invisible characters": lambda text: text.translate(_TO_NOTHING),
    "typographic quotes": lambda text: text.translate(_TO_QUOTE),
    "typographic dashes": lambda text: text.translate(_TO_DASH),
    _NORMAL_FORM: lambda text: unicodedata.normalize("NFC", text),
    "upper and lower case": str.casefold,
}


def canonical(line):
    """Returns a line (bytes) without blanks, and without all differences of _STEPS."""
    if line.isascii():
        return line.translate(None, _BLANKS.encode()).lower()
    return _stepped(line.decode("utf-8", "ignore")).translate(_NO_BLANKS).encode()


def differences(old, line, agrees):
    """Returns the names of the differences between a line of `old` and a line of the file.

    Their canonical forms agree. `agrees` says of two texts whether they match at this place.
    """
    found = [name for name in _STEPS if not agrees(*(_stepped(text, name).translate(_NO_BLANKS) for text in (old, line)))]
    if _NORMAL_FORM in found:
        form = "NFC" if unicodedata.normalize("NFC", line) == line else "NFD"
        found[found.index(_NORMAL_FORM)] = "%s (the file has %s)" % (_NORMAL_FORM, form)
    stepped = _stepped(old), _stepped(line)
    return found if agrees(*stepped) else found + [_blank_difference(*stepped, agrees)]


def _stepped(text, left_out=None):
    for name, step in _STEPS.items():
        if name != left_out:
            text = step(text)
    return text


def _blank_difference(old, line, agrees):
    if agrees(old.rstrip(_BLANKS), line.rstrip(_BLANKS)):
        return "trailing blanks"
    tabs = "tabs for spaces"
    if agrees(old.strip(_BLANKS), line.strip(_BLANKS)):
        return tabs if ("\t" in _indentation(old)) != ("\t" in _indentation(line)) else "indentation"
    return tabs if ("\t" in old) != ("\t" in line) else "blanks within a line"


def _indentation(text):
    return text[: len(text) - len(text.lstrip(_BLANKS))]
