"""What the bytes of an object must prove before central keeps them: form, signature, size, name.

Only what is small is read whole. Of a journal the header is looked at; a segment is noise, and its seal says
what it must be. What an object rests on is for `central.lines`.
"""

import contextlib
import datetime as dt
import io
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.central.refusals import Unproven
from appliance.config.values import wrong_custodians
from appliance.replication import names
from appliance.replication.names import Kind, ObjectName
from appliance.vault import canonical, chain, envelopes, journal, signing
from appliance.vault.chain import NO_LINE, Entry
from appliance.vault.seals import (
    Adoption,
    Body,
    Custodians,
    DestructionOrdered,
    EnvelopeMade,
    Init,
    Seal,
    StoredFile,
)

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
LIMIT_BYTES: Mapping[Kind, int] = {
    Kind.CHAIN: 1 * _MIB,
    Kind.ENVELOPE: 256 * _KIB,
    Kind.JOURNAL: 80 * _MIB,
    Kind.STATISTICS: 8 * _MIB,
    Kind.SEGMENT: 4 * _GIB,
}
"""A journal is left at 1 MiB, which one write may exceed; a seal's line names journals, 60 bytes each."""

HEADER_LIMIT_BYTES = 4096
_MOST_CUSTODIANS = 255
_YEARS = range(1970, 9000)
"""Of days that central reckons with: a term is added to them, and no date is later than the year 9999."""
_LONGEST_TERM_YEARS = 100
_END_NS = 1 << 63
_FILES_OF_A_SEGMENT = 8
"""Boxes write two; each is a row here."""
_LARGE_BYTES = 64 * _KIB
_BYTES_OF_A_VALUE = 16
"""Statistics take more bytes for each object or list that they hold; one takes 60 and more of memory."""
_one_at_a_time = threading.Lock()
"""A text as JSON takes many times its size: large ones are read one after the other in a process."""
_KEY_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_RUN = re.compile(r"[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True)
class Fixing:
    """A file that a line of the chain fixes: the object's name, its hash (hexadecimal) and size."""

    name: ObjectName
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class ProvenLine:
    """A line of a site's chain, of the right form and signed. `needless` are names of journal files."""

    entry: Entry
    prev: str
    fixes: tuple[Fixing, ...]
    needless: tuple[str, ...]


def line(content: bytes, name: ObjectName, public_key: str) -> ProvenLine:
    """A line of the chain of the box of this key, with what it says of files. Raises Unproven."""
    with _proving(name), _in_turn(content):
        prev = _check_signed(content, public_key)
        entry = chain.entry(canonical.decode(content[:-1]), content)
        if names.of_line(entry.seq, entry.hash) != name.text:
            raise ValueError("has another number or another hash than its name says")
        _check_begin(entry, prev, public_key)
        _check_reckoned(entry)
        _check_settings(entry.body)
        return ProvenLine(entry, prev, tuple(_fixed_by(entry.body)), tuple(_needless(entry.body)))


def envelope(content: bytes, name: ObjectName, public_key: str) -> None:
    """An envelope of the box of this key, for the day key that its name says. Raises Unproven."""
    with _proving(name), _in_turn(content):
        _check_day(name.day)
        found = envelopes.parse(content, public_key)
        said = (found.box, found.vault, found.day, found.key_id)
        if said != (signing.fingerprint(public_key), name.vault, name.day, name.key_id):
            raise ValueError("is the envelope of another key")
        if not 1 <= found.quorum <= len(found.shares) <= _MOST_CUSTODIANS:
            raise ValueError("is an envelope that no quorum of its custodians opens")


def journal_head(head: bytes, name: ObjectName) -> None:
    """The first bytes of a journal file, its header line among them, must say its name. Raises Unproven."""
    file = name.text.rpartition("/")[2]
    with _proving(name):
        _check_day(name.day)
        end = head.find(b"\n", 0, HEADER_LIMIT_BYTES) + 1
        found = journal.parse_header(head[:end])
        said = (found.name, found.vault, found.day, found.key_id, found.run)
        if said != (file, name.vault, name.day, name.key_id, journal.run_of(file)):
            raise ValueError("has the header of another file")


def statistics(content: bytes, name: ObjectName) -> None:
    """Lines of JSON in ASCII, an object each. Raises Unproven."""
    with _proving(name), _in_turn(content):
        if content[-1:] not in (b"", b"\n") or not all(map(_is_object, io.BytesIO(content))):
            raise ValueError("is not made of lines that are objects")


@contextlib.contextmanager
def _proving(name: ObjectName) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unproven(f"{name} {error}; nothing was stored") from None


@contextlib.contextmanager
def _in_turn(content: bytes) -> Iterator[None]:
    with _one_at_a_time if len(content) > _LARGE_BYTES else contextlib.nullcontext():
        yield


def _is_object(text: bytes) -> bool:
    if _BYTES_OF_A_VALUE * (text.count(b"{") + text.count(b"[") - 2) > len(text):
        raise ValueError("holds more objects and lists than statistics have")
    return isinstance(json.loads(text.decode("ascii")), dict)


def _check_signed(content: bytes, public_key: str) -> str:
    """A signed line's predecessor; ValueError if it is not whole, not numbered or not this box's."""
    fields = canonical.decode(content.removesuffix(b"\n"))
    seq, prev, signature = fields.get("seq"), fields.get("prev"), fields.pop("sig", None)
    if not content.endswith(b"\n") or type(seq) is not int or not _is_hash(prev):
        raise ValueError("has no number, no predecessor or no end")
    if not isinstance(signature, str) or not signing.holds(
        public_key, chain.PURPOSE, canonical.encode(fields), signature
    ):
        raise ValueError("is not signed by this box")
    return str(prev)


def _check_begin(entry: Entry, prev: str, public_key: str) -> None:
    """The first line, and no other, says whose chain it is."""
    match entry.body:
        case Init(box=box):
            if entry.seq or prev != NO_LINE or box != public_key:
                raise ValueError("begins no chain of this box")
        case _:
            if entry.seq < 1 or prev == NO_LINE:
                raise ValueError("follows from no line")


def _check_reckoned(entry: Entry) -> None:
    """Numbers and days that central cannot count with would stop the line's transaction, and the site."""
    if not 0 <= entry.at_ns < _END_NS:
        raise ValueError("was written at no time that a clock shows")
    match entry.body:
        case DestructionOrdered(vault=vault, day=day, key_ids=key_ids, term_years=years):
            _check_day(day)
            if None in (vault, key_ids):
                raise ValueError("orders the destruction of nothing")
            if type(years) is not int or not 0 <= years <= _LONGEST_TERM_YEARS:
                raise ValueError("orders a destruction by a term that there cannot be")
            if not all(_is_key_id(one) for one in key_ids):
                raise ValueError("orders the destruction of a key that there cannot be")


def _check_settings(body: Body) -> None:
    """What a restored home takes as its settings, and what is printed, must be such as a box can have."""
    match body:
        case Init(site=site) if not _is_one_line(site):
            raise ValueError("names its site by what is no name on one line")
        case Init(custodians=custodians, quorum=quorum) | Custodians(custodians=custodians, quorum=quorum):
            if not all(isinstance(one, str) for one in custodians) or wrong_custodians(custodians):
                raise ValueError("names custodians that there cannot be")
            if type(quorum) is not int or not 1 <= quorum <= len(custodians):
                raise ValueError("has a quorum that its custodians cannot reach")


def _check_day(day: object) -> None:
    if not isinstance(day, dt.date) or day.year not in _YEARS:
        raise ValueError(f"is of a day that no box records, {day}")


def _fixed_by(body: Body) -> list[Fixing]:
    match body:
        case EnvelopeMade(vault=vault, day=day, key_id=key_id, file=file):
            return [_fixing(Kind.ENVELOPE, vault, day, key_id, file)]
        case Seal(vault=vault, day=day, key_id=key_id, files=files, run=run):
            if not _RUN.fullmatch(run):
                raise ValueError("names no run")
            if len(files) > _FILES_OF_A_SEGMENT:
                raise ValueError("seals more files than a segment has")
            return [_fixing(Kind.SEGMENT, vault, day, key_id, file) for file in files]
        case Adoption(vault=vault, day=day, key_id=key_id, file=file):
            return [_fixing(Kind.JOURNAL, vault, day, key_id, file)]
        case _:
            return []


def _fixing(kind: Kind, vault: Any, day: Any, key_id: Any, file: StoredFile) -> Fixing:
    name = names.parse(f"{kind}/{vault}/{day}/{file.name}")
    _check_day(name.day)
    if name.key_id != key_id or not _is_hash(file.sha256):
        raise ValueError(f"fixes {name} by another key or without its hash")
    if type(file.size_bytes) is not int or not 0 <= file.size_bytes <= LIMIT_BYTES[kind]:
        raise ValueError(f"fixes {name} with a size that it cannot have")
    return Fixing(name, file.sha256, file.size_bytes)


def _needless(body: Body) -> list[str]:
    if not isinstance(body, Seal):
        return []
    for file in body.replaces:
        names.parse(f"{Kind.JOURNAL}/{body.vault}/2000-01-01/{file}")
    return list(body.replaces)


def _is_one_line(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip()) and text.isprintable()


def _is_key_id(text: object) -> bool:
    return isinstance(text, str) and _KEY_ID.fullmatch(text) is not None


def _is_hash(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and not set(text) - set("0123456789abcdef")
