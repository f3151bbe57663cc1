"""File names in JSON.

No JSON of PROTOCOL.md holds half of a surrogate pair, because a strict reader would refuse all of
it. Within the agent a name is text by surrogateescape, as everywhere in Python.
"""

_KEYS = ("path", "from", "to")


def member(key, name):
    """Returns (key, value) for a JSON object: the name as text, or in base64 if it is no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return key + "_base64", _binascii().b2a_base64(_bytes(name), newline=False).decode()
    return key, name


def restore(request):
    """Turns the paths of a request that are in base64 into text, in place."""
    for key in _KEYS:
        encoded = request.get(key + "_base64")
        if encoded is not None:
            request[key] = _text(_binascii().a2b_base64(encoded))


def shown(name):
    """Returns a name (bytes) for a sentence to the caller, with at most 200 characters."""
    return name.decode("utf-8", "backslashreplace")[:200]


def _bytes(name):
    return name.encode("utf-8", "surrogateescape")


def _text(name):
    return name.decode("utf-8", "surrogateescape")


def _binascii():
    # It is imported when it is first needed, because nearly all names are UTF-8.
    import binascii

    return binascii
