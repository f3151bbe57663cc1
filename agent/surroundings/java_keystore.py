"""A file of certificates that Java reads, in the format JKS.

It is the one format that every Java since version 1.2 reads without a password. All numbers are
big-endian. Source: sun.security.provider.JavaKeyStore of OpenJDK.
"""

import struct

_MAGIC = 0xFEEDFEED
_VERSION = 2
_CERTIFICATE = 2
_TYPE = b"X.509"
# The file ends with a digest that begins with the password. Java checks it for those alone who
# give the password, which is always this one for files without a secret.
_DIGESTED = "changeit".encode("utf-16-be") + b"Mighty Aphrodite"


def make(certificates):
    """Returns the file. `certificates` are in DER."""
    entries = [struct.pack(">III", _MAGIC, _VERSION, len(certificates))]
    for number, certificate in enumerate(certificates, 1):
        alias = b"trusted-%d" % number
        no_time = 0
        entries.append(struct.pack(">IH%dsQ" % len(alias), _CERTIFICATE, len(alias), alias, no_time))
        entries.append(struct.pack(">H%dsI" % len(_TYPE), len(_TYPE), _TYPE, len(certificate)) + certificate)
    content = b"".join(entries)
    return content + _sha1(_DIGESTED + content)


def _sha1(data):
    try:
        from _sha1 import sha1  # hashlib would load all of OpenSSL
    except ImportError:
        from hashlib import sha1
    return sha1(data).digest()
