"""The loopback's addresses of names: 127.128.0.0/9."""

_FIRST = 127 << 24 | 128 << 16
_COUNT = (1 << 23) - 1  # the last one is the broadcast address of 127.0.0.0/8
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def choose_address(name, taken):
    """Returns the first address from the name's own place on that is not in `taken`.

    The place depends on the name alone. So programs that keep an address still reach the name when
    another agent serves the sandbox.
    """
    place = _hash(name)
    while True:
        number = _FIRST + place % _COUNT
        address = ".".join(map(str, number.to_bytes(4, "big")))
        if address not in taken:
            return address
        place += 1


def is_of_names(address):
    """Whether a name may have the address, which is one of IPv4 or of IPv6, as text."""
    first, _, rest = address.partition(".")
    return first == "127" and int(rest.partition(".")[0]) >= 128


def _hash(name):
    """FNV-1a of 32 bits. Python's own hash differs from process to process."""
    value = _FNV_OFFSET
    for byte in name.encode():
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value
