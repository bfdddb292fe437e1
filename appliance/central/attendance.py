"""Who is silent: sites that have not been heard for as long as a level says, and those that speak again.

Each is an event of the ledger, written once however many processes look. The catalogue remembers until when
somebody looked: a central that was away itself gives its sites time to come back before it calls them silent.
"""

from collections.abc import Iterator

from peewee import fn

from appliance.central import silence
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.tables import About, Event, Site
from appliance.model.instants import from_iso, to_iso
from appliance.vault import canonical

SILENT, HEARD_AGAIN = "silence", "silence-ended"
_LISTENING = "listening"
_AWAY_NS = 3 * 60 * 10**9
"""Nobody looked for so long: central was away. The keeper looks every 20 seconds."""

_AT_ONCE = 500
"""Keys asked for in one query: SQLite takes 32,766 values, PostgreSQL 65,535."""


def notice(central: Central, now_ns: int) -> int:
    """Write every event that is due now; how many were new."""
    ledger, listening_ns = Ledger(central, lambda: now_ns), _listening_since(central, now_ns)
    written = sum(_end(ledger, site, since_ns) for site, since_ns in _spoken_again(central))
    return written + sum(
        _begin(ledger, site, one) for site, one in _not_noticed(central, now_ns, listening_ns)
    )


def last_heard_ns(site: Site) -> int:
    """When a site was heard last; one that never was, when it was enrolled."""
    return int(site.heard_at_ns or site.enrolled_at_ns)


def _begin(ledger: Ledger, site: str, one: silence.Silence) -> bool:
    since = to_iso(one.since_ns)
    return ledger.append(SILENT, site, _once(site, one), since=since, minutes=one.minutes)


def _end(ledger: Ledger, site: Site, since_ns: int) -> bool:
    once = f"{HEARD_AGAIN}:{site.fingerprint}:{since_ns}"
    heard_at = to_iso(last_heard_ns(site))
    return ledger.append(HEARD_AGAIN, site.fingerprint, once, since=to_iso(since_ns), heard_at=heard_at)


def _once(site: str, one: silence.Silence) -> str:
    return f"{SILENT}:{site}:{one.since_ns}:{one.minutes}"


def _listening_since(central: Central, now_ns: int) -> int:
    """Since when central has listened without a gap, by what was noted in the last turn; noted anew."""
    noted = About.select(About.value).where(About.key == _LISTENING).scalar(central.database)
    until_ns, since_ns = map(int, noted.split(":")) if noted else (0, 0)
    if not 0 <= now_ns - until_ns <= _AWAY_NS:
        since_ns = now_ns
    row = About.insert(key=_LISTENING, value=f"{now_ns}:{since_ns}")
    update = {About.value: f"{now_ns}:{since_ns}"}
    row.on_conflict(conflict_target=[About.key], update=update).execute(central.database)
    return since_ns


def _not_noticed(central: Central, now_ns: int, listening_ns: int) -> Iterator[tuple[str, silence.Silence]]:
    """Levels that are reached and have no event yet."""
    levels = central.config.silence_minutes
    latest_ns = now_ns - min(levels) * 60 * 10**9
    rows = Site.select().where(
        Site.state == "enrolled", fn.COALESCE(Site.heard_at_ns, Site.enrolled_at_ns) <= latest_ns
    )
    due = {
        _once(site.fingerprint, one): (site.fingerprint, one)
        for site in rows.execute(central.database)
        for one in silence.due(last_heard_ns(site), now_ns, levels, listening_ns)
    }
    keys = list(due)
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        known = Event.select(Event.once).where(Event.once.in_(part)).tuples().execute(central.database)
        there = {once for (once,) in known}
        yield from (due[key] for key in part if key not in there)


def _spoken_again(central: Central) -> list[tuple[Site, int]]:
    """Sites whose last word in the ledger is that they are silent, and which were heard since."""
    newest = Event.select(fn.MAX(Event.seq)).where(Event.kind.in_((SILENT, HEARD_AGAIN))).group_by(Event.site)
    last = Event.select().where(Event.seq.in_(newest), Event.kind == SILENT)
    since = {
        event.site: from_iso(canonical.decode(event.line.encode("ascii"))["since"])
        for event in last.execute(central.database)
    }
    sites = Site.select().where(Site.state == "enrolled").execute(central.database) if since else ()
    return [
        (site, since[site.fingerprint])
        for site in sites
        if site.fingerprint in since and silence.has_ended(since[site.fingerprint], last_heard_ns(site))
    ]
