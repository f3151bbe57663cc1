"""JSON, between the host, the agent's processes and a job's keeper: one value, without a blank around it or in it.

It uses the C functions that the json module itself uses. That module imports re and enum, which cost
every sandbox 1 MiB, and its first call some milliseconds.
"""

_SAMPLE = '{"a":[1,-2.5,"\\u00e9\\n",null,true,{}]}'


class _Context:
    strict = True
    object_hook = object_pairs_hook = None
    parse_int = int
    parse_float = parse_constant = float


def _c_functions():
    """(loads, dumps). Raises any Exception if this Python has no such functions, or others of their names."""
    from _json import encode_basestring_ascii, make_encoder, make_scanner

    scan = make_scanner(_Context)
    encode = make_encoder(None, None, encode_basestring_ascii, None, ":", ",", False, False, False)

    def loads(text):
        """Raises ValueError if it is not JSON."""
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
        """In ASCII alone."""
        return "".join(encode(value, 0))

    # They are private to CPython, which may change them: then this fails here, not at a request.
    if dumps(loads(_SAMPLE)) != _SAMPLE:
        raise ValueError("other JSON")
    return loads, dumps


def _json_module():
    """(loads, dumps), as _c_functions."""
    import json

    def loads(text):
        return json.loads(text if isinstance(text, str) else bytes(text))

    def dumps(value):
        return json.dumps(value, separators=(",", ":"))

    return loads, dumps


try:
    loads, dumps = _c_functions()
except Exception:
    loads, dumps = _json_module()
