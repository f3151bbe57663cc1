"""The files that hold certificates, for programs in the sandbox."""

import binascii

from surroundings import java_keystore

# Where images have the certificates that they trust. The first that is there counts.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_MAX_BUNDLE_BYTES = 1 << 20

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


def make_files(base, added):
    """Yields (name, content) of each file.

    `base` are certificates in DER, and `added` is the operator's file in PEM.
    """
    all_of_them = list(dict.fromkeys(base + parse(added)))
    yield "ca.pem", added.encode()
    yield "ca-bundle.pem", b"".join(map(_to_pem, all_of_them))
    yield "truststore.jks", java_keystore.make(all_of_them)


def image_certificates():
    """Returns the certificates that the image trusts, in DER. There may be none."""
    for path in _BUNDLES:
        try:
            with open(path, "rb") as file:
                certificates = parse(file.read(_MAX_BUNDLE_BYTES).decode("latin-1"))
        except OSError:
            continue
        if certificates:
            return certificates
    return []


def parse(pem):
    """Returns the certificates of a text, each in DER. What is none is left out."""
    certificates = []
    for part in pem.split(_BEGIN)[1:]:
        encoded, end, _ = part.partition(_END)
        try:
            certificate = binascii.a2b_base64(encoded)
        except ValueError:
            continue
        if end and certificate:
            certificates.append(certificate)
    return certificates


def _to_pem(certificate):
    encoded = binascii.b2a_base64(certificate, newline=False).decode()
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join([_BEGIN, *lines, _END, ""]).encode()
