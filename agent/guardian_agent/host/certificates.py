"""Until when is a certificate good? As much of DER as it takes to read that (RFC 5280, X.690)."""

import base64
import binascii
import re
from datetime import UTC, datetime

PEM = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)
INTEGER, UTC_TIME, GENERALIZED_TIME, SEQUENCE, VERSION = 0x02, 0x17, 0x18, 0x30, 0xA0


def not_after(pem: str) -> float:
    """Seconds since 1970 until which the first certificate in a PEM file is good.

    Raises:
        ValueError: there is none, or it makes no sense.
    """
    if not (found := PEM.search(pem)):
        raise ValueError("no certificate in it")
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    _, certificate, _ = _element(der, SEQUENCE)
    _, signed, _ = _element(certificate, SEQUENCE)
    kind, _, rest = _element(signed)
    if kind == VERSION:
        _, _, rest = _element(rest, INTEGER)  # the serial number
    _, _, rest = _element(rest, SEQUENCE)  # the algorithm
    _, _, rest = _element(rest, SEQUENCE)  # the issuer
    _, validity, _ = _element(rest, SEQUENCE)
    _, _, rest = _element(validity)  # not before
    kind, text, _ = _element(rest)
    return _moment(kind, text)


def _element(data: bytes, wanted: int | None = None) -> tuple[int, bytes, bytes]:
    """The kind and content of the element that `data` begins with, and what is behind it."""
    if len(data) < 2:
        raise ValueError("a certificate that is cut off")
    kind, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("a certificate that is cut off")
    if wanted is not None and kind != wanted:
        raise ValueError(f"no certificate: element {kind:#x} where {wanted:#x} should be")
    return kind, data[start : start + length], data[start + length :]


def _moment(kind: int, text: bytes) -> float:
    if kind not in (UTC_TIME, GENERALIZED_TIME):
        raise ValueError(f"no certificate: element {kind:#x} where a time should be")
    digits = text.decode("ascii", "replace")
    if kind == UTC_TIME:
        digits = ("20" if digits < "50" else "19") + digits  # RFC 5280, 4.1.2.5.1
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
