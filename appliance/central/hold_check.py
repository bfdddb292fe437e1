"""Checks holds: each that chain or ledger state is kept by the catalogue, and none is that nobody placed."""

from collections.abc import Iterator, Sequence
from typing import Any

from appliance.central import holds
from appliance.central.findings import Findings
from appliance.central.places import Central
from appliance.central.tables import Event, Hold, Site
from appliance.vault import canonical, seals
from appliance.vault.seals import HoldEnded


def check_holds(
    central: Central, site: Site, stated: Sequence[seals.Hold | HoldEnded], findings: Findings
) -> None:
    """`stated` is what the lines of the site's chain say of holds."""
    said = [*stated, *_in_ledger(central, site)]
    ended = {one.reference for one in said if isinstance(one, HoldEnded)}
    known = {row.reference: row for row in holds.of_site(central, site)}
    for body in said:
        if isinstance(body, seals.Hold) and not _keeps(known.get(body.reference), body):
            what = "was stated for days, vaults or a time that the catalogue does not keep"
            findings.fault(_place(site, body.reference), what)
    placed = {one.reference for one in said if isinstance(one, seals.Hold)}
    for reference, row in known.items():
        if reference not in placed:
            findings.fault(_place(site, reference), "was placed by nobody, says the chain and the ledger")
        if row.ended_at_ns is not None and reference not in ended:
            findings.fault(_place(site, reference), "is lifted in the catalogue, and nobody has lifted it")
    findings.counts["holds"] += len(known)


def certified(central: Central, site: Site) -> set[str]:
    """The ids of the keys whose destruction the ledger certifies."""
    found: set[str] = set()
    for fields in _lines(central, site, "destroyed"):
        found.update(key_id for key_id in fields.get("key_ids", ()) if isinstance(key_id, str))
    return found


def _keeps(row: Hold | None, body: seals.Hold) -> bool:
    return (
        row is not None
        and set(row.vaults.split()) >= set(body.vaults)
        and bool(
            row.first_day <= body.first_day and row.last_day >= body.last_day and row.until >= body.until
        )
    )


def _in_ledger(central: Central, site: Site) -> Iterator[seals.Hold | HoldEnded]:
    for kind in ("hold", "hold-ended"):
        names = _FIELDS[kind]
        for fields in _lines(central, site, kind):
            try:
                body = seals.from_json({"kind": kind, **{name: fields[name] for name in names}})
            except (KeyError, ValueError):
                continue  # the check of the ledger names it
            if isinstance(body, seals.Hold | HoldEnded):
                yield body


_FIELDS = {
    "hold": ("reference", "vaults", "first_day", "last_day", "until"),
    "hold-ended": ("reference",),
}


def _lines(central: Central, site: Site, kind: str) -> Iterator[dict[str, Any]]:
    query = Event.select(Event.line).where(Event.site == site.fingerprint, Event.kind == kind)
    for (line,) in query.order_by(Event.seq).tuples().iterator(central.database):
        try:
            yield canonical.decode(line.encode("ascii"))
        except ValueError:
            continue


def _place(site: Site, reference: str) -> str:
    return f"site {site.fingerprint[:16]} hold '{reference}'"
