"""File names in JSON. No JSON of PROTOCOL.md holds half of a surrogate pair: a strict reader would
refuse all of it. Within the agent a name is text by surrogateescape, as everywhere in Python.
"""

_KEYS = ("path", "from", "to")


def member(key, name):
    """(key, value) of a JSON object: a name as text, or one that is no UTF-8 in base64."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return key + "_base64", _binascii().b2a_base64(_bytes(name), newline=False).decode()
    return key, name


def restore(request):
    """Gives a request its paths as text, also those in base64."""
    for key in _KEYS:
        encoded = request.get(key + "_base64")
        if encoded is not None:
            request[key] = _text(_binascii().a2b_base64(encoded))


def shown(name):
    """A name (bytes) in a sentence for the caller, cut at a character."""
    return name.decode("utf-8", "backslashreplace")[:200]


def _bytes(name):
    return name.encode("utf-8", "surrogateescape")


def _text(name):
    return name.decode("utf-8", "surrogateescape")


def _binascii():
    # It is imported when it is first needed, since hardly any name is no UTF-8.
    import binascii

    return binascii
