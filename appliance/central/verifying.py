"""Re-reads a whole central and says every place where it is not as it was signed. It reads no record.

A central may be at work meanwhile: of each site the receipts are checked that there were at the beginning.
"""

from dataclasses import dataclass
from typing import Any

from peewee import fn

from appliance.central import contract_end, exposure, moving, sites
from appliance.central.findings import Findings, Progress
from appliance.central.ledger import Ledger
from appliance.central.listing_check import check_listings
from appliance.central.places import Central
from appliance.central.site_check import SiteCheck
from appliance.central.tables import Event, Site, Stored
from appliance.vault.chain_check import Fault


@dataclass(frozen=True)
class Report:
    """What was found. `notices` are worth knowing and no fault; `counts` what was checked."""

    central: str
    sites: int
    faults: tuple[Fault, ...]
    notices: tuple[Fault, ...]
    counts: dict[str, int]


def verify(
    central: Central, site: Site | None = None, progress: Progress = lambda done, total: None
) -> Report:
    """Check one site, or all sites and the ledger. Raises CentralError if the catalogue does not answer."""
    findings = Findings()
    database = central.database
    chosen = [site] if site else sites.every(central)
    total = _bytes_of(chosen, database)
    done = 0

    def told(size_bytes: int) -> None:
        nonlocal done
        done += size_bytes
        progress(done, max(done, total))

    for place, what in exposure.exposed(central.folder):
        findings.notice(place, what)
    if site is None:
        _check_catalogue(central, findings)
        for fault in Ledger(central).check():
            findings.fault(fault.place, fault.what)
        _check_sites(central, findings)
    for each in chosen:
        SiteCheck(central, each, findings, told).run()
    check_listings(central, site, findings)
    return Report(
        central.identity.fingerprint,
        len(chosen),
        tuple(findings.faults),
        tuple(findings.notices),
        dict(findings.counts),
    )


def _bytes_of(chosen: list[Site], database: Any) -> int:
    query = Stored.select(fn.SUM(Stored.size_bytes)).where(
        (Stored.state == "kept") & Stored.site.in_([site.id for site in chosen])
    )
    return int(query.scalar(database) or 0)


def _check_sites(central: Central, findings: Findings) -> None:
    """Sites that the ledger knows as enrolled and the catalogue not at all, without a contract's end."""
    ended = Event.select(Event.site).where(Event.kind == contract_end.ENDED)
    known = Site.select(Site.fingerprint)
    lost = (
        Event.select(Event.site)
        .distinct()
        .where(Event.kind == "enrolled", Event.site.not_in(ended), Event.site.not_in(known))
    )
    for (fingerprint,) in lost.tuples().execute(central.database):
        what = "was enrolled, says the ledger, and the catalogue does not know it"
        findings.fault(f"site {fingerprint[:16]}", what)


def _check_catalogue(central: Central, findings: Findings) -> None:
    """What SQLite finds in its own file (PostgreSQL has checksums of its own), and a move without its end."""
    if (central.folder / moving.LEFT).exists():
        what = "names where envelopes still lie since a move; 'central serve' and 'central move' destroy them"
        findings.fault(moving.LEFT, what)
    if central.config.catalogue:
        return
    for (what,) in central.database.execute_sql("PRAGMA integrity_check(10)"):  # type: ignore[no-untyped-call]
        if what != "ok":
            findings.fault("catalogue.sqlite", f"is damaged: {what}")
