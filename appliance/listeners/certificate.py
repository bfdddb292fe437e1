"""The box's own TLS certificate: made at the first start, kept in HOME/listen, replaced by what is put there.

Access points that check nothing but its fingerprint, or nothing at all, need no authority. Who has one puts
its key and certificate (with the chain) in the same two files.
"""

import datetime as dt
import hashlib
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.model.errors import ListenError
from appliance.runtime.clock import now_ns
from appliance.runtime.files import write_many

KEY, CERTIFICATE = "key.pem", "certificate.pem"
NAME = "greffier.local"
YEARS = 20
"""Devices that were told the fingerprint are not to be visited again while the box lives."""


def fingerprint(folder: Path) -> str:
    """SHA-256 of the certificate, hexadecimal; "" if there is none yet."""
    try:
        text = (folder / CERTIFICATE).read_text(encoding="ascii")
        first = text[: text.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :])).hexdigest()
    except (OSError, ValueError):
        return ""


def context(folder: Path) -> ssl.SSLContext:
    """What TLS ports speak: 1.2 and above; peers are not asked yet. Raises ListenError, StorageError."""
    key, certificate = folder / KEY, folder / CERTIFICATE
    if not key.exists() and not certificate.exists():
        _make(key, certificate)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    made.num_tickets = 0
    try:
        made.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # ssl raises both
        raise ListenError(
            f"{certificate} and {key} are no certificate and its key without a passphrase; "
            "put the right ones there, or remove both and a new pair is made"
        ) from error
    return made


def _make(key: Path, certificate: Path) -> None:
    """A self-signed pair, both files or none; the key is nobody's but ours to read."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    today = dt.datetime.fromtimestamp(now_ns() // 10**9, dt.UTC).replace(hour=0, minute=0, second=0)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(int.from_bytes(os.urandom(16), "big") >> 1)
        .not_valid_before(today - dt.timedelta(days=366))  # of a device whose clock is a little slow
        .not_valid_after(today + dt.timedelta(days=366 * YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_many([(key, secret), (certificate, built.public_bytes(serialization.Encoding.PEM))])
