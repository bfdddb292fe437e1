"""Who a central is: its name, the key that signs its receipts, the authority that signs its certificates.

The code that an operator hands to an installer carries the beginning of the identity's hash beside the
secret, so that one typed line proves each side to the other.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from appliance.vault import canonical, signing

FORMAT = "greffier central 1"
LIMIT_BYTES = 8192
_PART_BYTES = 10


@dataclass(frozen=True, slots=True)
class CentralIdentity:
    """`key` is the public key of receipts (hexadecimal), `authority` the CA's certificate (PEM)."""

    name: str
    key: str
    authority: str

    def render(self) -> bytes:
        """Canonical JSON and a newline."""
        return (
            canonical.encode(
                {"format": FORMAT, "name": self.name, "key": self.key, "authority": self.authority}
            )
            + b"\n"
        )

    @property
    def fingerprint(self) -> str:
        """What people compare: SHA-256 of the identity's bytes, 64 hexadecimal digits."""
        return canonical.sha256(self.render())

    @property
    def signs_as(self) -> str:
        """How receipts name this central: the fingerprint of its key."""
        return signing.fingerprint(self.key)


def parse(content: bytes) -> CentralIdentity:
    """An identity of the right form; whether it is the right one is for its fingerprint. ValueError."""
    if len(content) > LIMIT_BYTES or not content.endswith(b"\n"):
        raise ValueError("is not of the size of an identity")
    fields = canonical.decode(content[:-1])
    if set(fields) != {"format", "name", "key", "authority"} or fields["format"] != FORMAT:
        raise ValueError("is not the identity of a central")
    if not all(isinstance(value, str) for value in fields.values()) or not signing.is_public_key(
        fields["key"]
    ):
        raise ValueError("has a field of a wrong form")
    return CentralIdentity(fields["name"], fields["key"], fields["authority"])


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    """A one-time secret (80 bits) and the first 80 bits of the identity's fingerprint, in hexadecimal."""

    secret: str
    identity: str

    def __str__(self) -> str:
        text = base64.b32encode(bytes.fromhex(self.secret + self.identity)).decode("ascii")
        return "-".join(text[start : start + 4] for start in range(0, len(text), 4))

    def names(self, identity: CentralIdentity) -> bool:
        """Whether it was given out by the central of this identity."""
        return hmac.compare_digest(identity.fingerprint[: 2 * _PART_BYTES], self.identity)

    @property
    def secret_id(self) -> str:
        """How a request names the code without telling it: 16 digits of the hash of the secret's bytes."""
        return canonical.sha256(bytes.fromhex(self.secret))[:16]

    def proof(self, site_key: str) -> str:
        """What shows that who sends it knows the secret, for one site's public key only."""
        message = f"greffier enrolment 1\n{site_key}\n{self.identity}".encode("ascii")
        return hmac.new(bytes.fromhex(self.secret), message, hashlib.sha256).hexdigest()


def new_code(identity: CentralIdentity) -> EnrolmentCode:
    """A fresh code of a central."""
    return EnrolmentCode(secrets.token_hex(_PART_BYTES), identity.fingerprint[: 2 * _PART_BYTES])


def parse_code(text: str) -> EnrolmentCode:
    """A code as a person types it: case and separators do not matter. ValueError."""
    compact = "".join(text.split()).replace("-", "").upper()
    try:
        raw = base64.b32decode(compact)
    except ValueError:  # not of its alphabet, or not ASCII
        raw = b""
    if len(raw) != 2 * _PART_BYTES:
        raise ValueError("is not an enrolment code; it has 32 letters and digits, in groups of four")
    return EnrolmentCode(raw[:_PART_BYTES].hex(), raw[_PART_BYTES:].hex())
