"""Checks whether rows stand as they must: kept with a key, replaced by a seal, destroyed with their day."""

from collections.abc import Sequence
from typing import Any

from peewee import JOIN

from appliance.central import lines, sites
from appliance.central.findings import Findings
from appliance.central.hold_check import certified
from appliance.central.places import Central
from appliance.central.tables import Fixed, Key, Replacement, Site, Stored
from appliance.replication.names import Kind

_GONE = ("ordered", "destroyed")


def check_standing(central: Central, site: Site, rows: Sequence[Stored], findings: Findings) -> None:
    """Check the states of some rows of a site against its keys, its seals and its contract."""
    database = central.database
    keys = _keys(site, rows, database)
    fixed = _fixed(site, rows, database)
    replaced = _replaced(site, rows, database)
    for row in rows:
        for what in _wrong(central, site, row, keys, fixed, replaced):
            if _is_as_read(site, row, database):
                findings.fault(f"site {site.fingerprint[:16]} receipt {row.sequence} ({row.name})", what)


def _wrong(
    central: Central,
    site: Site,
    row: Stored,
    keys: dict[str, Key],
    fixed: dict[str, set[tuple[str, int]]],
    replaced: set[str],
) -> list[str]:
    key = keys.get(row.key_id or "")
    wrong = []
    match row.state:
        case "kept":
            wrong += _wrong_kept(central, site, row, key, replaced)
        case "replaced":
            if row.name not in replaced:
                wrong.append("is marked as replaced, and no seal of the chain replaces it")
        case "destroyed":
            if row.key_id is not None and (not key or key.state not in _GONE):
                wrong.append("is marked as destroyed, and its key is not")
        case _:
            wrong.append(f"is in the unknown state '{row.state}'")
    said = fixed.get(row.name, set())
    mine = (bytes(row.sha256).hex(), row.size_bytes)
    if row.kind == Kind.SEGMENT and not said:
        wrong.append("is a segment that no line of the chain fixes")
    elif said and mine not in said:
        wrong.append("is not the file that the chain fixes")
    if key and row.key_id and (key.vault, key.day) != (row.vault, row.day):
        wrong.append("has a key of another vault or day")
    return wrong


def _wrong_kept(central: Central, site: Site, row: Stored, key: Key | None, replaced: set[str]) -> list[str]:
    wrong = []
    if key and key.state == "destroyed":
        wrong.append("is kept, though its key was destroyed")
    if row.kind == Kind.ENVELOPE and (key is None or key.state == "announced"):
        wrong.append("is an envelope whose key the catalogue does not know as kept: it would never expire")
    if row.name in replaced and lines.needless(central, site, row.name):
        wrong.append("is kept, though a segment that is here has replaced it")
    return wrong


def check_keys(central: Central, site: Site, findings: Findings) -> None:
    """Every key that is kept has its envelope here; what was announced or ordered is said."""
    database = central.database
    place = f"site {site.fingerprint[:16]}"
    envelope = (
        (Stored.site == Key.site)
        & (Stored.key_id == Key.key_id)
        & (Stored.kind == Kind.ENVELOPE.value)
        & (Stored.state == "kept")
    )
    lost = (
        Key.select(Key.vault, Key.day, Key.key_id)
        .join(Stored, JOIN.LEFT_OUTER, on=envelope)
        .where(Key.site == site, Key.state == "kept", Stored.name.is_null())
    )
    for vault, day, key_id in lost.tuples().iterator(database):
        findings.fault(
            f"{place} key {key_id}", f"of {vault} {day} is to be kept, and no envelope of it is here"
        )
    if site.state == sites.ENROLLED:
        _check_certificates(central, site, findings)
    for state, what in _STANDING:
        count = Key.select().where(Key.site == site, Key.state == state).count(database)
        if count:
            findings.notice(place, f"{count} {what}")
    for state in ("kept", "destroyed"):
        findings.counts[f"keys {state}"] += (
            Key.select().where(Key.site == site, Key.state == state).count(database)
        )


def _check_certificates(central: Central, site: Site, findings: Findings) -> None:
    """A key that is gone without a certificate was not destroyed by central: somebody took it away."""
    known = certified(central, site)
    gone = Key.select().where(Key.site == site, Key.state == "destroyed").order_by(Key.day)
    for key in gone.execute(central.database):
        if key.key_id not in known:
            what = (
                f"of {key.vault} {key.day} is said to be destroyed, and the ledger has no certificate of it"
            )
            findings.fault(f"site {site.fingerprint[:16]} key {key.key_id}", what)


_STANDING = (
    ("announced", "envelopes that its chain names have not come, or not yet"),
    ("ordered", "keys are ordered to be destroyed, and the keeper has not finished"),
)


def _keys(site: Site, rows: Sequence[Stored], database: Any) -> dict[str, Key]:
    wanted = list({row.key_id for row in rows if row.key_id})
    query = Key.select().where(Key.site == site, Key.key_id.in_(wanted))
    return {key.key_id: key for key in query.execute(database)}


def _fixed(site: Site, rows: Sequence[Stored], database: Any) -> dict[str, set[tuple[str, int]]]:
    query = Fixed.select().where(Fixed.site == site, Fixed.name.in_([row.name for row in rows]))
    found: dict[str, set[tuple[str, int]]] = {}
    for fix in query.execute(database):
        found.setdefault(fix.name, set()).add((bytes(fix.sha256).hex(), fix.size_bytes))
    return found


def _replaced(site: Site, rows: Sequence[Stored], database: Any) -> set[str]:
    wanted = [row.name for row in rows if row.kind == Kind.JOURNAL]
    query = Replacement.select(Replacement.journal).where(
        Replacement.site == site, Replacement.journal.in_(wanted)
    )
    return {name for (name,) in query.tuples().execute(database)}


def _is_as_read(site: Site, row: Stored, database: Any) -> bool:
    """Whether the row is what it was: a central at work may have moved on."""
    now = Stored.select(Stored.state).where(Stored.site == site, Stored.sequence == row.sequence)
    return bool(now.scalar(database) == row.state)
