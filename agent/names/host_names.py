"""Which names are asked of the host, and which have their answer in the sandbox."""

_ALLOWED = b"abcdefghijklmnopqrstuvwxyz0123456789-_"
_HEX_DIGITS = b"0123456789abcdef"


def name_of(labels):
    """Returns the name in lower case, or None if it is no name that the host is asked for.

    That is one with any byte but letters, digits, `-` and `_`, the root, and an address literal.
    """
    folded = [label.lower() for label in labels]
    if not folded or b"".join(folded).translate(None, _ALLOWED) or _is_number(folded[-1]):
        return None
    return b".".join(folded).decode()


def _is_number(label):
    """Whether a name that ends so is an IPv4 address, such as 127.1 or 0x7f.1 (WHATWG URL)."""
    return label.isdigit() or label[:2] == b"0x" and not label[2:].translate(None, _HEX_DIGITS)


def is_localhost(name):
    """RFC 6761, section 6.3."""
    return name == "localhost" or name.endswith(".localhost")


def address_in(labels):
    """Returns the IPv4 address that the name of a PTR query stands for, or None."""
    if [label.lower() for label in labels[-2:]] != [b"in-addr", b"arpa"]:
        return None
    return b".".join(reversed(labels[:-2])).decode("latin-1")


def is_service(labels):
    """Whether the name is that of a service, such as _http._tcp.deb.debian.org (RFC 8552).

    Programs ask for it before the host's own name, and need no record.
    """
    return labels[0][:1] == b"_"
