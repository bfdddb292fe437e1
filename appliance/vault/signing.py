"""The box's own key (Ed25519): whoever holds it can sign as this box, and can read nothing."""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.model.errors import HomeError
from appliance.vault import canonical


@dataclass(frozen=True)
class Signer:
    """Signs for one box. `box` is its public key, 64 hexadecimal digits."""

    key: Ed25519PrivateKey = field(repr=False)
    box: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.box)

    def sign(self, purpose: bytes, message: bytes) -> str:
        """The signature, 128 hexadecimal digits; `purpose` keeps kinds of message apart."""
        return self.key.sign(purpose + b"\n" + message).hex()


def fingerprint(box: str) -> str:
    """The short name of a box's public key: SHA-256 of its 32 bytes, 64 hexadecimal digits."""
    return canonical.sha256(bytes.fromhex(box))


def is_public_key(text: object) -> bool:
    """Whether this is a box's public key in the form the chain gives it."""
    return isinstance(text, str) and len(text) == 64 and not set(text) - set("0123456789abcdef")


def holds(box: str, purpose: bytes, message: bytes, signature: str) -> bool:
    """Whether a signature, in exactly the form `sign` gives it, is this box's."""
    try:
        raw = bytes.fromhex(signature)
        if raw.hex() != signature:
            return False
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(box)).verify(raw, purpose + b"\n" + message)
    except (InvalidSignature, ValueError):
        return False
    return True


def generate() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def to_pem(key: Ed25519PrivateKey) -> bytes:
    """PKCS #8 PEM, which openssl reads."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signer(key: Ed25519PrivateKey) -> Signer:
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return Signer(key, raw.hex())


def load(path: Path) -> Signer:
    """The signer of a home's box.key. Raises HomeError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise HomeError(
            f"{path} is not here, so this home can be read and not continued; restore it from the box's "
            "backup, or make a new box with 'greffier init'"
        ) from None
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HomeError(
            f"cannot use the box's key {path}: {error}; restore it from the box's backup"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise HomeError(f"the box's key {path} is not an Ed25519 key; restore it from the box's backup")
    return signer(key)
