"""What a line of the chain can say: one frozen type a kind, and its form in JSON.

In JSON a field keeps its name, without `_ns`: instants are ISO 8601 with nine decimals, because JSON
readers of other languages lose nanoseconds in numbers. FORMAT.md lists the kinds.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.model.coverage import Coverage
from appliance.model.instants import to_iso
from appliance.vault import fields
from appliance.vault.names import VaultName

instant = fields.instant
"""UTC nanoseconds of an instant in the form of the chain; ValueError for any other."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the chain fixes it; `name` without folder, `sha256` in hexadecimal."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Init:
    """The first line: whose chain this is. `box` is the public key that signs every line."""

    site: str
    box: str
    custodians: tuple[str, ...]
    quorum: int
    format: int = 1


@dataclass(frozen=True, slots=True)
class Custodians:
    """From here on day keys are split between these custodians."""

    custodians: tuple[str, ...]
    quorum: int


@dataclass(frozen=True, slots=True)
class EnvelopeMade:
    """A day key was drawn by a run and its envelope stored, before the key was first used."""

    vault: VaultName
    day: dt.date
    key_id: str
    run: str
    file: StoredFile


@dataclass(frozen=True, slots=True)
class Seal:
    """A segment is fixed, with what was seen and missed meanwhile.

    `replaces` names the journal files it makes needless. Without rows there is no segment, only coverage:
    day, key_id, name, first and last are None.
    """

    vault: VaultName
    day: dt.date | None
    key_id: str | None
    run: str
    name: str | None
    rows: int
    first_ns: int | None
    last_ns: int | None
    files: tuple[StoredFile, ...]
    replaces: tuple[str, ...]
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True)
class Interruption:
    """A run ended without closing; nothing was recorded from its last sign of life, `until`, to this line."""

    run: str
    until_ns: int | None
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True)
class Adoption:
    """A journal file left by an interrupted run is fixed as it lies."""

    vault: VaultName
    day: dt.date
    key_id: str
    run: str
    file: StoredFile


@dataclass(frozen=True, slots=True)
class Repair:
    """The chain ended in a line cut by a power failure or a full disk; that many bytes were taken away."""

    cut_bytes: int


@dataclass(frozen=True, slots=True)
class Rollback:
    """The chain was found without the line that had been its head."""

    lost_seq: int
    lost_hash: str


@dataclass(frozen=True, slots=True)
class ClockConfirmed:
    """The operator stated what time it is, after a jump of the clock that nothing explained."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class DestructionOrdered:
    """The keys of a vault and day have passed their term, and their destruction begins."""

    vault: VaultName
    day: dt.date
    key_ids: tuple[str, ...]
    term_years: int
    now_ns: int


@dataclass(frozen=True, slots=True)
class Destroyed:
    """Certificate: no envelope of these keys is left here, nor the files they encrypted."""

    vault: VaultName
    day: dt.date
    key_ids: tuple[str, ...]
    envelope_count: int
    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A preservation order: the keys of these vaults and days stay beyond their term, to the end of `until`.

    Raises ValueError for an order that cannot be meant.
    """

    reference: str
    vaults: tuple[VaultName, ...]
    first_day: dt.date
    last_day: dt.date
    until: dt.date

    def __post_init__(self) -> None:
        check_reference(self.reference)
        if not self.vaults or len(set(self.vaults)) < len(self.vaults):
            raise ValueError("a hold names each of its vaults once, and one at least")
        if not self.first_day <= self.last_day:
            raise ValueError("a hold's last day is not before its first")
        if self.until < self.first_day:
            raise ValueError("a hold does not end before its first day")

    def covers(self, vault: VaultName, day: dt.date) -> bool:
        """Whether this vault's day is in its scope, whatever the time is."""
        return vault in self.vaults and self.first_day <= day <= self.last_day


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """A hold was lifted before its date: its days go with their term again."""

    reference: str

    def __post_init__(self) -> None:
        check_reference(self.reference)


@dataclass(frozen=True, slots=True)
class AuditAnchor:
    """The audit chain had this many lines when this was written, the last of them with this hash."""

    audit_lines: int
    audit_hash: str


REFERENCE_LETTERS = 120


def check_reference(text: object) -> None:
    """ValueError unless a hold may be called so: its reference goes into documents, on one line of them."""
    if (
        not isinstance(text, str)
        or not text.strip()
        or len(text) > REFERENCE_LETTERS
        or not text.isprintable()
    ):
        raise ValueError(f"a hold's reference is one line of at most {REFERENCE_LETTERS} letters")


Body = (
    Init | Custodians | EnvelopeMade | Seal | Interruption | Adoption | Repair | Rollback
    | ClockConfirmed | DestructionOrdered | Destroyed | Hold | HoldEnded | AuditAnchor
)  # fmt: skip

KINDS: Mapping[str, type[Body]] = {
    "init": Init,
    "custodians": Custodians,
    "envelope": EnvelopeMade,
    "seal": Seal,
    "interruption": Interruption,
    "adoption": Adoption,
    "repair": Repair,
    "rollback": Rollback,
    "clock": ClockConfirmed,
    "destruction-ordered": DestructionOrdered,
    "destroyed": Destroyed,
    "hold": Hold,
    "hold-ended": HoldEnded,
    "audit": AuditAnchor,
}
_KIND_OF = {body: kind for kind, body in KINDS.items()}
_KIND_SHOWN = 40


def kind_of(body: Body) -> str:
    return _KIND_OF[type(body)]


def to_json(body: Body) -> dict[str, Any]:
    """The fields of a line that belong to its kind, `kind` included."""
    return {"kind": kind_of(body), **_fields_to_json(body)}


def from_json(line: Mapping[str, Any]) -> Body:
    """A body from the fields of its line.

    ValueError if a field is missing, foreign, of a wrong type or form, or beyond its bounds: what comes back
    can be counted with, and be trusted to be of the type that it is declared to be.
    """
    kind = line.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"has the unknown kind {str(kind)[:_KIND_SHOWN]!r}")
    plan = _PLANS[kind]
    if len(line) != len(plan) + 1:
        raise ValueError(f"has not the fields of '{kind}'")
    try:
        make: Callable[..., Body] = KINDS[kind]
        body = make(
            *[
                None if (value := line[key]) is None and may_be_null else read(value)
                for key, read, may_be_null in plan
            ]
        )
        if check := _WHOLE.get(kind):
            check(body)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"has not the fields of '{kind}' ({error})") from None
    return body


def _fields_to_json(value: Any) -> dict[str, Any]:
    return {
        field.name.removesuffix("_ns"): _to_json(getattr(value, field.name), field.name.endswith("_ns"))
        for field in dataclasses.fields(value)
    }


def _to_json(value: Any, is_instant: bool) -> Any:
    if is_instant and value is not None:
        return to_iso(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_to_json(item, False) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return _fields_to_json(value) if dataclasses.is_dataclass(value) else value


def _file(value: Mapping[str, Any]) -> StoredFile:
    if len(value) != 3:
        raise ValueError("a file has other fields")
    return StoredFile(
        fields.name(value["name"]), fields.sha256(value["sha256"]), fields.number(value["size_bytes"])
    )


def _coverage(value: Mapping[str, Any]) -> Coverage:
    if len(value) != 8 + ("measured" in value):  # lines from before it was known lack it
        raise ValueError("a coverage has other fields")
    return Coverage(
        fields.source(value["source"]),
        fields.instant(value["first"]),
        fields.instant(value["last"]),
        fields.number(value["packets"]),
        fields.number(value["bytes"]),
        fields.counts(value["refused"]),
        fields.counts(value["lost"]),
        fields.counts(value["noted"]),
        fields.counts(value.get("measured", {})),
    )


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "site": fields.text,
    "box": fields.sha256,
    "custodians": fields.custodians,
    "quorum": fields.positive,
    "format": fields.positive,
    "vault": VaultName,
    "vaults": lambda names: tuple(VaultName(name) for name in fields.items(names)),
    "day": fields.day,
    "first_day": fields.date,
    "last_day": fields.date,
    "until": fields.date,
    "key_id": fields.key_id,
    "key_ids": fields.key_ids,
    "run": fields.run,
    "name": fields.name,
    "file": _file,
    "files": lambda files: tuple([_file(value) for value in fields.items(files)]),
    "replaces": fields.names,
    "coverage": lambda parts: tuple([_coverage(value) for value in fields.items(parts)]),
    "lost_hash": fields.sha256,
    "audit_lines": fields.positive,
    "audit_hash": fields.sha256,
    "reference": lambda reference: reference,  # the hold itself says which it may have
    **dict.fromkeys(
        ("rows", "cut_bytes", "lost_seq", "term_years", "envelope_count", "file_count", "size_bytes"),
        fields.number,
    ),
}
"""How each field is read, whatever its kind; instants by their name in the type."""


def _plan(body: type[Body]) -> tuple[tuple[str, Callable[[Any], Any], bool], ...]:
    """The name in JSON of each field, how it is read, and whether it may be null."""
    return tuple(
        (
            field.name.removesuffix("_ns"),
            fields.instant if field.name.endswith("_ns") else _DECODERS[field.name],
            "None" in str(field.type),
        )
        for field in dataclasses.fields(body)
    )


_PLANS = {kind: _plan(body) for kind, body in KINDS.items()}


def _check_seal(seal: Seal) -> None:
    stated = seal.rows > 0
    for of_segment in (seal.day, seal.key_id, seal.name, seal.first_ns, seal.last_ns):
        if (of_segment is not None) is not stated:
            raise ValueError("a seal has rows and no segment, or a segment and no rows")
    if seal.files and not stated:
        raise ValueError("a seal has files and no rows")


def _check_quorum(body: Init | Custodians) -> None:
    if body.quorum > len(body.custodians):
        raise ValueError("the quorum is greater than the number of custodians")


_WHOLE: Mapping[str, Callable[[Any], None]] = {
    "seal": _check_seal,
    "init": _check_quorum,
    "custodians": _check_quorum,
}
"""What must be true of fields that are well each."""
