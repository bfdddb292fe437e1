"""An authority of a server's own, which peers pin or trust once, and the server's certificate that it signs.

The authority lives as long as the central or the box. The server's certificate is renewed by it before it
ends, and peers notice nothing.
"""

import datetime as dt
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.model.errors import CertificateError
from appliance.runtime.files import write_many

AUTHORITY, AUTHORITY_KEY, SERVER, SERVER_KEY = "ca.pem", "ca.key", "server.pem", "server.key"
AUTHORITY_DAYS = 30 * 366
"""Longer than any contract: a new authority means that every box is enrolled again."""
SERVER_DAYS = 397
"""The most that browsers bear with, so that any client does (CA/Browser Forum, Baseline 6.3.2)."""
RENEWED_DAYS = 30


def create(folder: Path, name: str, hosts: Sequence[str], now_ns: int) -> str:
    """A new authority and the server's first certificate in a folder; the authority's as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"greffier {name}"[:64])])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    authority = (
        _begun(subject, subject, key, now_ns, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = authority.public_bytes(serialization.Encoding.PEM)
    write_many([(folder / AUTHORITY_KEY, _pem(key)), (folder / AUTHORITY, text)])
    _issue(folder, authority, key, hosts, now_ns)
    return text.decode("ascii")


def renew(folder: Path, hosts: Sequence[str], now_ns: int) -> bool:
    """Issue the server's certificate anew if it ends in 30 days or names other hosts; whether it was.

    Whoever serves reads it again after that. Raises CertificateError, StorageError.
    """
    server = _certificate(folder / SERVER)
    ends = server.not_valid_after_utc - dt.timedelta(days=RENEWED_DAYS)
    if ends > _instant(now_ns) and _names(server) == _general_names(hosts):
        return False
    authority = _certificate(folder / AUTHORITY)
    try:
        key = serialization.load_pem_private_key((folder / AUTHORITY_KEY).read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"cannot renew the server's certificate with {folder / AUTHORITY_KEY}: {error}; restore that key"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{folder / AUTHORITY_KEY} is not the key of {AUTHORITY}; restore it")
    _issue(folder, authority, key, hosts, now_ns)
    return True


def _issue(
    folder: Path,
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    hosts: Sequence[str],
    now_ns: int,
) -> None:
    """A new key and certificate of the server; both files or none."""
    server = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    issued = (
        _begun(subject, authority.subject, server, now_ns, SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(_general_names(hosts)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(server.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate = issued.public_bytes(serialization.Encoding.PEM)
    write_many([(folder / SERVER_KEY, _pem(server)), (folder / SERVER, certificate)])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now_ns: int, days: int
) -> x509.CertificateBuilder:
    now = _instant(now_ns)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(os.urandom(16), "big") >> 1)
        # A day early: for peers whose clock is slow. Nothing valid longer than it says.
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days - 1))
    )


def _instant(now_ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(now_ns // 10**9, dt.UTC)


def _general_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"cannot read the certificate {path}: {error}; restore it from a copy"
        ) from error


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
