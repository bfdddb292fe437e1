"""Strays: bytes that outlived their day or their contract because nothing in the catalogue speaks of them.

Whoever dies between storing an envelope and giving its receipt leaves it in custody without a row. The next
deposit of the name finds it; if none comes, it must not lie there after its day. Its path says whose it is
and of which day. What belongs to a site that the ledger does not know to have ended is left alone, and
`verify` names it: a catalogue that was put back to an older copy does not know its newest sites.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from peewee import chunked

from appliance.central import believed, holds, sites
from appliance.central.failures import Failures
from appliance.central.ledger import Ledger
from appliance.central.objects import kept_until
from appliance.central.places import Central
from appliance.central.tables import Erasure, Event, Key, Site
from appliance.model.instants import day_of
from appliance.replication import names
from appliance.replication.names import ObjectName

_PAGE = 500


def sweep(central: Central, now_ns: int) -> int:
    """Destroy what lies past its day or its contract without a row; how many files. The ledger says so.

    Days count only while the clock is believed. Raises StorageError, when the others are gone, CentralError.
    """
    failures, count = Failures(), 0
    for fingerprint in _ended(central):
        with failures.of(f"site {fingerprint[:16]}, whose contract has ended", fingerprint):
            count += _sweep_ended(central, fingerprint)
    if believed.doubt(central, now_ns) is None:
        for site in sites.every(central):
            with failures.of(_named(site), site.fingerprint):
                gone = _sweep_site(central, site, day_of(now_ns), failures)
                _certify(central, site, gone, now_ns)
                count += len(gone)
    failures.tell()
    return count


def _ended(central: Central) -> list[str]:
    """The sites that are none any more because two operators ended their contract."""
    here = Site.select(Site.fingerprint)
    query = Event.select(Event.site).where(Event.kind == "contract-end", Event.site.not_in(here)).distinct()
    return [fingerprint for (fingerprint,) in query.tuples().execute(central.database)]


def _sweep_ended(central: Central, fingerprint: str) -> int:
    """Everything but what a lock is known to keep, for which there is a row."""
    count = 0
    for path in list(central.custody.names(f"{fingerprint}/")):
        central.custody.destroy(path)
        count += 1
    for paths in chunked([path for path, _ in central.store.names(f"{fingerprint}/")], _PAGE):
        query = Erasure.select(Erasure.path).where(Erasure.path.in_(paths))
        known = {path for (path,) in query.tuples().execute(central.database)}
        loose = [{"path": path} for path in paths if path not in known]
        if loose:
            Erasure.insert_many(loose).on_conflict_ignore().execute(central.database)
            count += len(loose)
    return count


def _sweep_site(central: Central, site: Site, today: dt.date, failures: Failures) -> list[ObjectName]:
    """The envelopes of a site past their day, unless a hold keeps it, or a key that expiry looks after."""
    held = holds.holding(central, site, today)
    gone: list[ObjectName] = []
    for page in chunked(_past(central, site, today), _PAGE):
        looked_after = _looked_after(site, [str(name.key_id) for _, name in page], central.database)
        for path, name in page:
            vault, day = str(name.vault), name.day
            if day is None or name.key_id in looked_after or any(holds.covers(h, vault, day) for h in held):
                continue
            with failures.of(f"{_named(site)} {vault} {day}", site.fingerprint):
                central.custody.destroy(path)
                gone.append(name)
    return gone


def _past(central: Central, site: Site, today: dt.date) -> list[tuple[str, ObjectName]]:
    """What lies in custody of days whose term is over, by the day in its path."""
    prefix = f"{site.fingerprint}/"
    found = []
    for path in central.custody.names(prefix):
        try:
            name = names.parse(path.removeprefix(prefix).rpartition(".")[0])
        except ValueError:
            continue  # nothing of ours; `verify` names it
        if name.vault and name.day and today >= kept_until(site, name.vault, name.day):
            found.append((path, name))
    return found


def _looked_after(site: Site, key_ids: Iterable[str], database: Any) -> set[str]:
    """Of some keys those whose day `expiry` destroys, or is about to, with all that lies under them."""
    query = Key.select(Key.key_id).where(
        Key.site == site, Key.key_id.in_(sorted(set(key_ids))), Key.state != "destroyed"
    )
    return {key_id for (key_id,) in query.tuples().execute(database)}


def _named(site: Site) -> str:
    return f"site {site.fingerprint[:16]} ('{site.name}')"


def _certify(central: Central, site: Site, gone: list[ObjectName], now_ns: int) -> None:
    for vault, day, key_ids in _by_day(gone):
        Ledger(central, lambda: now_ns).append(
            "stray-destroyed", site.fingerprint, vault=vault, day=day, key_ids=key_ids
        )


def _by_day(gone: list[ObjectName]) -> Iterator[tuple[str, str, list[str]]]:
    keyed = sorted((str(name.vault), str(name.day), str(name.key_id)) for name in gone)
    for (vault, day), of_day in groupby(keyed, lambda one: one[:2]):
        yield vault, day, sorted({key_id for _, _, key_id in of_day})
