"""Holds at central: those that a site's chain states, and those placed here for a site whose box is gone.

A hold keeps the keys of its vaults and days beyond their term, to the end of its day `until`, and nothing
else. A box lifts what a box placed; central lifts either.
"""

import datetime as dt
from typing import Any

from appliance.central.databases import locking, writing
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.tables import Hold, Site
from appliance.model.errors import UsageError
from appliance.model.instants import day_of
from appliance.runtime.clock import Clock, now_ns
from appliance.vault import seals
from appliance.vault.names import VaultName

BOX, CENTRAL = "box", "central"


def of_line(database: Any, site: Site, body: seals.Hold | seals.HoldEnded, at_ns: int) -> None:
    """What a line of a site's chain says of holds, inside the transaction that keeps the line.

    After a fork both chains' holds unite: neither can narrow what the other keeps.
    """
    if isinstance(body, seals.HoldEnded):
        mine = (Hold.site == site) & (Hold.reference == body.reference) & (Hold.placed_by == BOX)
        Hold.update(ended_at_ns=at_ns).where(mine, Hold.ended_at_ns.is_null()).execute(database)
        return
    found = _row(database, site, body.reference)
    if found is None:
        Hold.insert(_fields(site, body, BOX)).execute(database)
        return
    Hold.update(
        vaults=" ".join(sorted({*found.vaults.split(), *body.vaults})),
        first_day=min(found.first_day, body.first_day),
        last_day=max(found.last_day, body.last_day),
        until=max(found.until, body.until),
    ).where(Hold.id == found.id).execute(database)


def place(central: Central, site: Site, hold: seals.Hold, clock: Clock = now_ns) -> None:
    """Place a hold here. Raises UsageError for one that is over or whose reference was used."""
    today = day_of(clock())
    if hold.until < today:
        raise UsageError(f"{hold.until} has passed; give a day from {today} on")
    with writing(central.database):
        locking(central.database, Site.select().where(Site.id == site.id)).get(central.database)
        if _row(central.database, site, hold.reference):
            raise UsageError(
                f"the reference '{hold.reference}' was used before; to prolong a hold place another under "
                "a reference of its own"
            )
        Hold.insert(_fields(site, hold, CENTRAL)).execute(central.database)
        said = seals.to_json(hold)
        del said["kind"]
        Ledger(central, clock).append("hold", site.fingerprint, **said)


def end(central: Central, site: Site, reference: str, clock: Clock = now_ns) -> None:
    """Lift a hold, whoever placed it. Raises UsageError if there is none to lift."""
    with writing(central.database):
        locking(central.database, Site.select().where(Site.id == site.id)).get(central.database)
        found = _row(central.database, site, reference)
        if found is None or found.ended_at_ns is not None:
            why = (
                "was lifted already" if found else "is not known here; 'greffier central hold list' shows all"
            )
            raise UsageError(f"the hold '{reference}' {why}")
        Hold.update(ended_at_ns=clock()).where(Hold.id == found.id).execute(central.database)
        Ledger(central, clock).append("hold-ended", site.fingerprint, reference=reference)


def of_site(central: Central, site: Site) -> list[Hold]:
    """Every hold of a site, those that are over among them, as they came."""
    return list(Hold.select().where(Hold.site == site).order_by(Hold.id).execute(central.database))


def holding(central: Central, site: Site, today: dt.date) -> list[Hold]:
    """The holds of a site that keep something today."""
    return [hold for hold in of_site(central, site) if hold.ended_at_ns is None and today <= hold.until]


def covers(hold: Hold, vault: VaultName | str, day: dt.date) -> bool:
    """Whether a vault's day is in the scope of a hold."""
    return str(vault) in hold.vaults.split() and bool(hold.first_day <= day <= hold.last_day)


def _row(database: Any, site: Site, reference: str) -> Hold | None:
    query = Hold.select().where(Hold.site == site, Hold.reference == reference)
    found: Hold | None = query.get_or_none(database)
    return found


def _fields(site: Site, hold: seals.Hold, placed_by: str) -> dict[str, Any]:
    return {
        "site": site,
        "reference": hold.reference,
        "vaults": " ".join(hold.vaults),
        "first_day": hold.first_day,
        "last_day": hold.last_day,
        "until": hold.until,
        "placed_by": placed_by,
    }
