"""Certificates for tests: an authority, and what it issues."""

import datetime
import ipaddress
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as objects and as PEM text."""

    of: x509.Certificate
    key: Any

    @property
    def certificate(self) -> str:
        return self.of.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def both(self) -> str:
        encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.certificate + str(self.key.private_bytes(*encoding).decode())


def authority(*, above: Issued | None = None, name: str = "authority") -> Issued:
    return _made(name, above, None, [(x509.BasicConstraints(ca=True, path_length=None), True)])


def issued(by: Issued, *names: str, until: datetime.datetime | None = None) -> Issued:
    """For those names or addresses; good since the year before it ends, for a day from now where nothing is said."""
    alternatives = x509.SubjectAlternativeName([_name(name) for name in names])
    return _made(names[0], by, until, [(alternatives, False)])


def _made(name: str, by: Issued | None, until: datetime.datetime | None, extensions: list[Any]) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    until = until or datetime.datetime.now(datetime.UTC) + DAY
    builder = x509.CertificateBuilder(
        by.of.subject if by else subject, subject, key.public_key(), x509.random_serial_number()
    )
    builder = builder.not_valid_before(until - 365 * DAY).not_valid_after(until)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Issued(builder.sign(by.key if by else key, hashes.SHA256()), key)


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
