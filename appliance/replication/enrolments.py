"""Enrolment: what a new box sends to a central, once, and what it is answered, signed both ways.

Both are canonical JSON. The box shows that it holds the one-time code and its own key; central shows
that it holds the key which the code names. Neither secret travels.
"""

from dataclasses import dataclass
from typing import Any

from appliance.model.instants import to_iso
from appliance.replication.identity import CentralIdentity, EnrolmentCode
from appliance.vault import canonical, signing
from appliance.vault.seals import instant

REQUEST_FORMAT = "greffier enrolment 1"
ANSWER_FORMAT = "greffier enrolled 1"
REQUEST_LIMIT_BYTES = 4096
ANSWER_LIMIT_BYTES = 1024
_REQUEST_KEYS = {"format", "site_key", "name", "secret_id", "proof", "line", "sig"}
_ANSWER_KEYS = {"format", "site", "name", "at", "sig"}


@dataclass(frozen=True, slots=True)
class EnrolmentRequest:
    """`line` is the text of the first line of the box's chain, without its newline; signed by `site_key`."""

    site_key: str
    name: str
    secret_id: str
    proof: str
    line: str


@dataclass(frozen=True, slots=True)
class EnrolmentAnswer:
    """Central's word that it takes objects of a site (a fingerprint), which it knows by `name`."""

    site: str
    name: str
    at_ns: int


def request(signer: signing.Signer, name: str, code: EnrolmentCode, line: str) -> bytes:
    """What the box sends; ValueError if it would be longer than central reads."""
    fields: dict[str, Any] = {
        "format": REQUEST_FORMAT,
        "site_key": signer.box,
        "name": name,
        "secret_id": code.secret_id,
        "proof": code.proof(signer.box),
        "line": line,
    }
    content = _signed(signer, REQUEST_FORMAT, fields)
    if len(content) > REQUEST_LIMIT_BYTES:
        raise ValueError(f"the first line of the chain is too long to enrol with ({len(line)} letters)")
    return content


def parse_request(content: bytes) -> EnrolmentRequest:
    """A request that the key in it signed; whether it may enrol is for central. ValueError."""
    fields = _fields(content, REQUEST_LIMIT_BYTES, REQUEST_FORMAT, _REQUEST_KEYS)
    if not signing.is_public_key(fields["site_key"]):
        raise ValueError("has a key of a wrong form")
    _check(fields, fields["site_key"], REQUEST_FORMAT)
    return EnrolmentRequest(
        fields["site_key"], fields["name"], fields["secret_id"], fields["proof"], fields["line"]
    )


def answer(signer: signing.Signer, enrolled: EnrolmentAnswer) -> bytes:
    """What central answers."""
    fields = {
        "format": ANSWER_FORMAT,
        "site": enrolled.site,
        "name": enrolled.name,
        "at": to_iso(enrolled.at_ns),
    }
    return _signed(signer, ANSWER_FORMAT, fields)


def parse_answer(content: bytes, identity: CentralIdentity) -> EnrolmentAnswer:
    """An answer signed by this central; ValueError."""
    fields = _fields(content, ANSWER_LIMIT_BYTES, ANSWER_FORMAT, _ANSWER_KEYS)
    _check(fields, identity.key, ANSWER_FORMAT)
    return EnrolmentAnswer(fields["site"], fields["name"], instant(fields["at"]))


def _signed(signer: signing.Signer, purpose: str, fields: dict[str, Any]) -> bytes:
    signature = signer.sign(purpose.encode("ascii"), canonical.encode(fields))
    return canonical.encode({**fields, "sig": signature})


def _fields(content: bytes, limit_bytes: int, form: str, keys: set[str]) -> dict[str, Any]:
    if len(content) > limit_bytes:
        raise ValueError("is too long")
    fields = canonical.decode(content)
    if set(fields) != keys or fields["format"] != form:
        raise ValueError(f"is no '{form}'")
    if not all(isinstance(value, str) for value in fields.values()):
        raise ValueError("has a field of a wrong form")
    return fields


def _check(fields: dict[str, Any], key: str, purpose: str) -> None:
    unsigned = {name: value for name, value in fields.items() if name != "sig"}
    if not signing.holds(key, purpose.encode("ascii"), canonical.encode(unsigned), fields["sig"]):
        raise ValueError("is not signed by who it says")
