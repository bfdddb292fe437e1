"""Claims: what a box signs about each object it sends. The only authorisation that central knows.

A claim says which bytes belong under which name of which site. It names no central and no time: sending it
again changes nothing that is kept, and it travels by cable and by stick alike. Nor does it say that its box
is alive: whoever has an old one, with its bytes, can send it anew, and central has heard from the site.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from appliance.vault import canonical, signing

FORMAT = "greffier claim 1"
PURPOSE = b"greffier claim 1"
LIMIT_BYTES = 1024
HEADER = "Greffier-Claim"


@dataclass(frozen=True, slots=True)
class Claim:
    """`site` is the fingerprint of the box, `name` an object's name, `signature` the box's (hexadecimal)."""

    site: str
    name: str
    sha256: str
    size_bytes: int
    signature: str

    def render(self) -> bytes:
        """Canonical JSON, without a newline."""
        return canonical.encode(
            {**_fields(self.site, self.name, self.sha256, self.size_bytes), "sig": self.signature}
        )

    def to_header(self) -> str:
        """The claim as the value of an HTTP header."""
        return base64.urlsafe_b64encode(self.render()).decode("ascii")

    def holds(self, public_key: str) -> bool:
        """Whether the box of this public key signed it."""
        message = canonical.encode(_fields(self.site, self.name, self.sha256, self.size_bytes))
        return signing.fingerprint(public_key) == self.site and signing.holds(
            public_key, PURPOSE, message, self.signature
        )


def make(signer: signing.Signer, name: str, sha256: str, size_bytes: int) -> Claim:
    """Sign for an object as the box."""
    message = canonical.encode(_fields(signer.fingerprint, name, sha256, size_bytes))
    return Claim(signer.fingerprint, name, sha256, size_bytes, signer.sign(PURPOSE, message))


def parse(content: bytes) -> Claim:
    """A claim of the right form, its signature unchecked; ValueError otherwise."""
    if len(content) > LIMIT_BYTES:
        raise ValueError("is longer than any claim")
    fields = canonical.decode(content)
    if set(fields) != {"format", "site", "name", "sha256", "size_bytes", "sig"} or fields["format"] != FORMAT:
        raise ValueError("is not a claim")
    claim = Claim(fields["site"], fields["name"], fields["sha256"], fields["size_bytes"], fields["sig"])
    if not (_is_hex(claim.site, 64) and _is_hex(claim.sha256, 64) and _is_hex(claim.signature, 128)):
        raise ValueError("has a hash or a signature of a wrong form")
    if not isinstance(fields["name"], str) or type(fields["size_bytes"]) is not int or claim.size_bytes < 0:
        raise ValueError("has a name or a size of a wrong form")
    return claim


def from_header(value: str) -> Claim:
    """The claim in an HTTP header; ValueError otherwise."""
    if len(value) > 2 * LIMIT_BYTES:
        raise ValueError("is longer than any claim")
    try:
        return parse(base64.b64decode(value.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("is not base64") from None


def _fields(site: str, name: str, sha256: str, size_bytes: int) -> dict[str, Any]:
    return {"format": FORMAT, "site": site, "name": name, "sha256": sha256, "size_bytes": size_bytes}


def _is_hex(text: object, digits: int) -> bool:
    return isinstance(text, str) and len(text) == digits and not set(text) - set("0123456789abcdef")
