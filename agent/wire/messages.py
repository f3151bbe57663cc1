"""JSON between the host, the agent's processes and the keepers of jobs: one value, without blanks.

It uses the C functions that the module json uses. That module imports re and enum. They would cost
every sandbox 1 MiB, and its first call some milliseconds.
"""

_SAMPLE = '{"a":[1,-2.5,"\\u00e9\\n",null,true,{}]}'


class _Context:
    strict = True
    object_hook = object_pairs_hook = None
    parse_int = int
    parse_float = parse_constant = float


def _c_functions():
    """Returns (loads, dumps, quote).

    Raises any Exception if this Python does not have these functions, or if they do something else.
    """
    from _json import encode_basestring_ascii, make_encoder, make_scanner

    scan = make_scanner(_Context)
    encode = make_encoder(None, None, encode_basestring_ascii, None, ":", ",", False, False, False)

    def loads(text):
        """Raises ValueError if the text is not JSON."""
        if not isinstance(text, str):
            text = str(text, "utf-8")
        try:
            value, end = scan(text, 0)
        except StopIteration:
            end = -1
        if end != len(text):
            raise ValueError("no JSON")
        return value

    def dumps(value):
        """Returns text in ASCII."""
        return "".join(encode(value, 0))

    # They are private to CPython, which may change them. Then this fails here, not at a request.
    if dumps(loads(_SAMPLE)) != _SAMPLE:
        raise ValueError("other JSON")
    return loads, dumps, encode_basestring_ascii


def _json_module():
    """Returns (loads, dumps, quote), as _c_functions does."""
    import json

    def loads(text):
        return json.loads(text if isinstance(text, str) else bytes(text))

    def dumps(value):
        return json.dumps(value, separators=(",", ":"))

    return loads, dumps, json.dumps


# quote(text) is dumps(text), in half the time.
try:
    loads, dumps, quote = _c_functions()
except Exception:
    loads, dumps, quote = _json_module()
