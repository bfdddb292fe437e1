"""Parcels: objects with their claims in one file, for a stick that is carried to central.

    head      one line: whose, for which centrals
    frames    a claim, a newline, the object's bytes, a newline
    closing   one line, signed by the box: how many objects, the hash of all claims

A parcel that was cut off has no closing line and so is plainly incomplete; what lies whole in it can be used,
for each claim is signed for itself. `PROTOCOL.md` specifies it to the byte.
"""

from dataclasses import dataclass, replace
from typing import Any

from appliance.model.instants import to_iso
from appliance.vault import canonical, signing
from appliance.vault.seals import instant

FORMAT = "greffier parcel 1"
END_FORMAT = "greffier parcel end 1"
PURPOSE = b"greffier parcel end 1"
LINE_LIMIT_BYTES = 4096
"""No head and no closing line is longer; a claim is shorter."""
SIZE_LIMIT_BYTES = 1 << 30
"""After so many bytes the next object begins another parcel: FAT32 holds no file of 4 GiB."""
OBJECT_LIMIT = 50_000
"""After so many objects, too: a reader keeps a parcel's claims in memory (some 60 MB)."""
LARGEST_OBJECT_BYTES = (4 << 30) - (1 << 20)
"""No single object beyond this can lie on FAT32 at all."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line. `centrals` are those whose receipts were lacking (fingerprints of their keys).

    `writing` (8 hexadecimal digits) is common to the parcels of one writing, `number` counts them from 1.
    """

    site: str
    centrals: tuple[str, ...]
    writing: str
    number: int
    at_ns: int

    def render(self) -> bytes:
        """Canonical JSON and a newline."""
        return _line(
            {
                "format": FORMAT,
                "site": self.site,
                "centrals": list(self.centrals),
                "writing": self.writing,
                "number": self.number,
                "at": to_iso(self.at_ns),
            }
        )


@dataclass(frozen=True, slots=True)
class Closing:
    """The last line. `head` is the hash of the first, `list` that of all claims, newlines included.

    `last` says that no further parcel of this writing follows.
    """

    site: str
    head: str
    list: str
    objects: int
    size_bytes: int
    last: bool
    signature: str = ""

    def render(self) -> bytes:
        """Canonical JSON and a newline."""
        return _line({**self._signed(), "sig": self.signature})

    def holds(self, public_key: str) -> bool:
        """Whether the box of this public key signed it."""
        return signing.fingerprint(public_key) == self.site and signing.holds(
            public_key, PURPOSE, canonical.encode(self._signed()), self.signature
        )

    def signed(self, signer: signing.Signer) -> "Closing":
        """The same with the box's signature."""
        return replace(self, signature=signer.sign(PURPOSE, canonical.encode(self._signed())))

    def _signed(self) -> dict[str, Any]:
        return {
            "format": END_FORMAT,
            "site": self.site,
            "head": self.head,
            "list": self.list,
            "objects": self.objects,
            "size_bytes": self.size_bytes,
            "last": self.last,
        }


def parse_head(line: bytes) -> Head:
    """The head out of the first line (newline included); ValueError if it is none."""
    fields = _fields(line, FORMAT, {"site", "centrals", "writing", "number", "at"})
    centrals, number = fields["centrals"], fields["number"]
    if not isinstance(centrals, list) or not all(_is_hash(one) for one in centrals):
        raise ValueError("names its centrals in a wrong form")
    if not _is_hash(fields["site"]) or not _is_text(fields["writing"], 8) or type(number) is not int:
        raise ValueError("has a field of a wrong form")
    return Head(fields["site"], tuple(centrals), fields["writing"], number, instant(str(fields["at"])))


def parse_closing(line: bytes) -> Closing:
    """The closing line (newline included), its signature unchecked; ValueError if it is none."""
    keys = {"site", "head", "list", "objects", "size_bytes", "last", "sig"}
    fields = _fields(line, END_FORMAT, keys)
    if not all(_is_hash(fields[key]) for key in ("site", "head", "list")) or not _is_text(fields["sig"], 128):
        raise ValueError("has a hash or a signature of a wrong form")
    if type(fields["objects"]) is not int or type(fields["size_bytes"]) is not int:
        raise ValueError("has a number of a wrong form")
    if type(fields["last"]) is not bool:
        raise ValueError("has a field of a wrong form")
    return Closing(
        fields["site"], fields["head"], fields["list"], fields["objects"], fields["size_bytes"],
        fields["last"], fields["sig"],
    )  # fmt: skip


def _line(fields: dict[str, Any]) -> bytes:
    return canonical.encode(fields) + b"\n"


def _fields(line: bytes, form: str, keys: set[str]) -> dict[str, Any]:
    if len(line) > LINE_LIMIT_BYTES or not line.endswith(b"\n"):
        raise ValueError("is longer than a line of a parcel")
    fields = canonical.decode(line[:-1])
    if set(fields) != {"format", *keys} or fields["format"] != form:
        raise ValueError("is not of a parcel")
    return fields


def _is_text(value: object, digits: int) -> bool:
    return isinstance(value, str) and len(value) == digits and not set(value) - set("0123456789abcdef")


def _is_hash(value: object) -> bool:
    return _is_text(value, 64)
