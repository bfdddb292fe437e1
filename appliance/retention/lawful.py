"""What a site said of the law: renewals that it confirmed, and what is to happen when a basis has lapsed.

`legal.toml` in the home, written whole by the keeper, read by the recorders while they run. Every change also
stands in the audit chain. Without the file nothing is confirmed and every lapse is only told (`alert`).
"""

import contextlib
import datetime as dt
import tomllib
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomlkit

from appliance.control.words import Lapse
from appliance.model.errors import HomeError, UsageError
from appliance.model.instants import NS, to_iso
from appliance.retention.legal import calendar
from appliance.retention.legal.calendar import Confirmation, Standing, Table
from appliance.retention.legal.shipped import france
from appliance.runtime import locks, ownership
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import write_once
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import instant

LAW_ZONE = zoneinfo.ZoneInfo("Europe/Paris")
"""A text is in force from a day to a day where it is law, whatever UTC says."""

_NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Said:
    """What a site said. `stops` has the vaults that a lapse stops, and since when that is wanted (UTC ns)."""

    confirmations: tuple[Confirmation, ...] = ()
    stops: Mapping[str, int] = field(default_factory=lambda: _NOTHING)

    def lapse(self, vault: str) -> Lapse:
        """What happens to a vault when no basis obliges to keep it."""
        return Lapse.STOP if vault in self.stops else Lapse.ALERT


@dataclass(frozen=True)
class Spell:
    """From an instant to another (UTC ns, the later one not included) nothing of a vault is recorded."""

    first_ns: int
    until_ns: int


def path_of(home: Home) -> Path:
    """The file."""
    return home.path / "legal.toml"


def read(home: Home) -> Said:
    """What the site said. Raises HomeError naming the file and what is wrong there."""
    path = path_of(home)
    try:
        return _said(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Said()
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"cannot read {path}: {error}; check who owns it") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise HomeError(f"{path} is not as Greffier writes it: {error}; correct or remove it") from error


def check(confirmation: Confirmation) -> None:
    """Raises UsageError if a statement of the operator cannot be meant."""
    wrong = calendar.wrong(france(), confirmation, law_day(confirmation.at_ns))
    if wrong:
        raise UsageError(wrong)


def confirm(home: Home, confirmation: Confirmation) -> None:
    """Keep a statement of the operator. Raises UsageError if it cannot be meant, HomeError, StorageError."""
    check(confirmation)
    with _changing(home) as (said, write):
        write(replace(said, confirmations=(*said.confirmations, confirmation)))


def set_lapse(home: Home, vault: VaultName, lapse: Lapse, clock: Clock = now_ns) -> None:
    """Say what a lapse does to a vault; `stop` counts from now on. Raises HomeError, StorageError."""
    with _changing(home) as (said, write):
        stops = {name: since for name, since in said.stops.items() if name != vault}
        if lapse is Lapse.STOP:
            stops[str(vault)] = said.stops.get(vault, clock())
        write(replace(said, stops=MappingProxyType(stops)))


def standings(said: Said, at_ns: int, table: Table | None = None) -> list[Standing]:
    """How every basis of the table stands now."""
    today = law_day(at_ns)
    bases = (table or france()).bases
    return [calendar.standing(basis, said.confirmations, today) for basis in bases]


def stopped(said: Said, vault: VaultName, table: Table | None = None) -> tuple[Spell, ...]:
    """When nothing of a vault is recorded: while its basis has lapsed, from when the site wanted that on."""
    since_ns = said.stops.get(vault)
    if since_ns is None:
        return ()
    found = calendar.gaps((table or france()).bases, said.confirmations, vault)
    spells = (Spell(max(start_of(first), since_ns), _end_of(last)) for first, last in found)
    return tuple(spell for spell in spells if spell.first_ns < spell.until_ns)


def law_day(instant_ns: int) -> dt.date:
    """The day of an instant where the texts are law."""
    return dt.datetime.fromtimestamp(instant_ns // NS, LAW_ZONE).date()


def start_of(day: dt.date) -> int:
    """The first instant (UTC ns) of a day where the texts are law."""
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=LAW_ZONE).timestamp()) * NS


def _end_of(day: dt.date) -> int:
    return (1 << 63) - 1 if day == dt.date.max else start_of(day + dt.timedelta(days=1))


@contextlib.contextmanager
def _changing(home: Home) -> Iterator[tuple[Said, Callable[[Said], None]]]:
    lock = home.state / "legal.lock"
    with locks.exclusive(lock):
        ownership.as_of(home.path, lock)
        yield read(home), lambda said: write_once(path_of(home), _text(said).encode("utf-8"))
        ownership.as_of(home.path, path_of(home))


def _said(told: dict[str, Any]) -> Said:
    stops = {VaultName(vault).value: instant(since) for vault, since in told.get("stop", {}).items()}
    confirmations = tuple(
        Confirmation(
            str(one["basis"]),
            str(one["text"]),
            _day(one["first_day"]),
            _day(one["last_day"]),
            str(one["by"]),
            instant(one["at"]),
        )
        for one in told.get("confirmed", [])
    )
    return Said(confirmations, MappingProxyType(stops))


def _day(value: object) -> dt.date:
    if type(value) is not dt.date:
        raise ValueError("a day is not of the form 2026-11-21")
    return value


_HEAD = """\
Written by Greffier: what this site confirmed of the legal bases, and which vaults a lapse stops since when.
Change it on the page, so that it stands in the audit chain."""


def _text(said: Said) -> str:
    document = tomlkit.document()
    for line in _HEAD.splitlines():
        document.add(tomlkit.comment(line))
    stop = tomlkit.table()
    stop.update({vault: to_iso(since) for vault, since in said.stops.items()})
    document["stop"] = stop
    confirmed = tomlkit.aot()
    for one in said.confirmations:
        row = tomlkit.table()
        row.update({"basis": one.basis, "text": one.text, "first_day": one.first_day})
        row.update({"last_day": one.last_day, "by": one.by, "at": to_iso(one.at_ns)})
        confirmed.append(row)
    if said.confirmations:
        document["confirmed"] = confirmed
    return tomlkit.dumps(document)
