"""How each site stands at a central, put together for a person: heard, kept, signed for, what goes next."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peewee import fn

from appliance.central import silence
from appliance.central.attendance import last_heard_ns
from appliance.central.places import Central
from appliance.central.tables import Event, Hold, Key, Site, Stored
from appliance.retention import policy

ALARMS = ("fork", "conflict", "early-order", "mismatch")
"""Somebody must look: a box rolled back, other bytes under a name, an order too early, a wrong file."""


@dataclass(frozen=True)
class Expiry:
    """The vault and day that go next, and the first day (UTC) on which they may."""

    vault: str
    day: dt.date
    on: dt.date


@dataclass(frozen=True)
class Standing:
    """One site. `silent_minutes` is the level its silence has reached, 0 while it speaks.

    `heard_at_ns` is None for one that was enrolled and never heard. `objects` and `size_bytes` are of what is
    kept, `days` its first and last day. `alarms` counts events by kind, of those that need somebody.
    """

    fingerprint: str
    name: str
    state: str
    enrolled_at_ns: int
    heard_at_ns: int | None
    silent_minutes: int
    receipts: int
    objects: int
    size_bytes: int
    days: tuple[dt.date, dt.date] | None
    holds: int
    alarms: Mapping[str, int]
    next_expiry: Expiry | None


def standings(central: Central, now_ns: int) -> list[Standing]:
    """Every site, by name. Raises CentralError where the catalogue does not answer."""
    database = central.database
    kept, alarms, expiries, holds = _kept(database), _alarms(database), _oldest(database), _holds(database)
    found = []
    for site in Site.select().order_by(Site.name, Site.fingerprint).execute(database):
        objects, size_bytes, first, last = kept.get(site.id, (0, 0, None, None))
        enrolled = site.state == "enrolled"
        found.append(
            Standing(
                site.fingerprint,
                site.name,
                site.state,
                site.enrolled_at_ns,
                site.heard_at_ns,
                silence.level(last_heard_ns(site), now_ns, central.config.silence_minutes) if enrolled else 0,
                site.receipts,
                objects,
                size_bytes,
                (first, last) if first and last else None,
                holds.get(site.id, 0),
                alarms.get(site.fingerprint, {}),
                _next(expiries.get(site.id, {}), json.loads(site.terms)),
            )
        )
    return found


def _kept(database: Any) -> dict[int, tuple[int, int, dt.date | None, dt.date | None]]:
    counted = (fn.COUNT(Stored.sequence), fn.SUM(Stored.size_bytes), fn.MIN(Stored.day), fn.MAX(Stored.day))
    rows = Stored.select(Stored.site, *counted).where(Stored.state == "kept").group_by(Stored.site)
    return {
        site: (count, int(size or 0), _date(first), _date(last))
        for site, count, size, first, last in rows.tuples().execute(database)
    }


def _alarms(database: Any) -> dict[str, Counter[str]]:
    rows = (
        Event.select(Event.site, Event.kind, fn.COUNT(Event.seq))
        .where(Event.kind.in_(ALARMS))
        .group_by(Event.site, Event.kind)
    )
    found: dict[str, Counter[str]] = {}
    for site, kind, count in rows.tuples().execute(database):
        found.setdefault(site, Counter())[kind] = count
    return found


def _oldest(database: Any) -> dict[int, dict[str, dt.date]]:
    """The oldest day of each vault whose key is kept."""
    rows = (
        Key.select(Key.site, Key.vault, fn.MIN(Key.day))
        .where(Key.state == "kept")
        .group_by(Key.site, Key.vault)
    )
    found: dict[int, dict[str, dt.date]] = {}
    for site, vault, day in rows.tuples().execute(database):
        oldest = _date(day)
        if oldest:
            found.setdefault(site, {})[vault] = oldest
    return found


def _holds(database: Any) -> dict[int, int]:
    rows = Hold.select(Hold.site, fn.COUNT(Hold.id)).where(Hold.ended_at_ns.is_null()).group_by(Hold.site)
    return {site: int(count) for site, count in rows.tuples().execute(database)}


def _next(oldest: Mapping[str, dt.date], terms: Mapping[str, int]) -> Expiry | None:
    going = [
        Expiry(vault, day, policy.destroyed_on(day, terms[vault]))
        for vault, day in oldest.items()
        if vault in terms
    ]
    return min(going, key=lambda expiry: (expiry.on, expiry.vault), default=None)


def _date(value: dt.date | str | None) -> dt.date | None:
    """SQLite gives what functions return as the text that it keeps."""
    return dt.date.fromisoformat(value) if isinstance(value, str) else value
