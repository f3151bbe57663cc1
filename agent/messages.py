"""JSON, between the host, the agent's processes and a job's keeper: one value, without a blank around it or in it.

By what the json module itself does its work with: that module imports re and enum, which take 1 MiB of every sandbox, and some milliseconds
of its first call.
"""

try:
    from _json import encode_basestring_ascii, make_encoder, make_scanner
except ImportError:  # not CPython, which has them since 3.1
    import json

    def loads(text):
        return json.loads(text if isinstance(text, str) else bytes(text))

    def dumps(value):
        return json.dumps(value, separators=(",", ":"))

else:

    class _Context:
        strict = True
        object_hook = object_pairs_hook = None
        parse_int = int
        parse_float = parse_constant = float

    _scan = make_scanner(_Context)
    _encode = make_encoder(None, None, encode_basestring_ascii, None, ":", ",", False, False, False)

    def loads(text):
        """Raises ValueError where it is not JSON."""
        if not isinstance(text, str):
            text = str(text, "utf-8")
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            end = -1
        if end != len(text):
            raise ValueError("no JSON")
        return value

    def dumps(value):
        """In ASCII alone."""
        return "".join(_encode(value, 0))
