"""Receipts: what a central signs for each object that lies on its disk. All that a box ever gets back.

The receipts of one central to one site are numbered from 1 and each names the hash of the one before, so that
a central that was put back to an earlier state gives itself away with its next receipt.
"""

from dataclasses import dataclass

from appliance.model.instants import to_iso
from appliance.replication.claims import Claim
from appliance.vault import canonical, signing
from appliance.vault.seals import instant

FORMAT = "greffier receipt 1"
PURPOSE = b"greffier receipt 1"
LIMIT_BYTES = 1024
NO_RECEIPT = "0" * 64
_KEYS = {
    "format",
    "central",
    "site",
    "sequence",
    "name",
    "sha256",
    "size_bytes",
    "received_at",
    "previous",
    "sig",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """`central` and `site` are fingerprints of public keys; `previous` is the hash of the receipt before."""

    central: str
    site: str
    sequence: int
    name: str
    sha256: str
    size_bytes: int
    received_at_ns: int
    previous: str
    signature: str

    def render(self) -> bytes:
        """The receipt's bytes: canonical JSON and a newline, at most LIMIT_BYTES."""
        return canonical.encode({**self._signed(), "sig": self.signature}) + b"\n"

    @property
    def hash(self) -> str:
        """What the next receipt names as `previous`: SHA-256 of its bytes, newline included."""
        return canonical.sha256(self.render())

    def holds(self, central_key: str) -> bool:
        """Whether the central of this public key signed it."""
        return signing.fingerprint(central_key) == self.central and signing.holds(
            central_key, PURPOSE, canonical.encode(self._signed()), self.signature
        )

    def answers(self, claim: Claim) -> bool:
        """Whether it is for these bytes, this name and this site."""
        return (self.site, self.name, self.sha256, self.size_bytes) == (
            claim.site,
            claim.name,
            claim.sha256,
            claim.size_bytes,
        )

    def _signed(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "central": self.central,
            "site": self.site,
            "sequence": self.sequence,
            "name": self.name,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "received_at": to_iso(self.received_at_ns),
            "previous": self.previous,
        }


def sign(signer: signing.Signer, claim: Claim, sequence: int, received_at_ns: int, previous: str) -> Receipt:
    """Sign as central. The same values give the same bytes: a receipt need not be kept to be given again."""
    unsigned = Receipt(
        signer.fingerprint,
        claim.site,
        sequence,
        claim.name,
        claim.sha256,
        claim.size_bytes,
        received_at_ns,
        previous,
        "",
    )
    signature = signer.sign(PURPOSE, canonical.encode(unsigned._signed()))
    return Receipt(
        unsigned.central,
        claim.site,
        sequence,
        claim.name,
        claim.sha256,
        claim.size_bytes,
        received_at_ns,
        previous,
        signature,
    )


def parse(content: bytes) -> Receipt:
    """A receipt of the right form, its signature unchecked; ValueError otherwise."""
    if len(content) > LIMIT_BYTES or not content.endswith(b"\n"):
        raise ValueError("is not of the size of a receipt")
    fields = canonical.decode(content[:-1])
    if set(fields) != _KEYS or fields["format"] != FORMAT:
        raise ValueError("is not a receipt")
    texts = ("central", "site", "name", "sha256", "received_at", "previous", "sig")
    if not all(isinstance(fields[key], str) for key in texts):
        raise ValueError("has a field of a wrong form")
    if type(fields["sequence"]) is not int or type(fields["size_bytes"]) is not int or fields["sequence"] < 1:
        raise ValueError("has a number of a wrong form")
    receipt = Receipt(
        fields["central"],
        fields["site"],
        fields["sequence"],
        fields["name"],
        fields["sha256"],
        fields["size_bytes"],
        instant(fields["received_at"]),
        fields["previous"],
        fields["sig"],
    )
    if receipt.render() != content:  # an instant can be written in more ways than one
        raise ValueError("is not written as a receipt is")
    return receipt
