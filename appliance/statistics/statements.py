"""What is stored: one JSON line an hour or a day, none of it about fewer than three clients. Pure.

{"hour": "2026-11-21T13:00:00Z", "users": 12,
 "cells": [{"place": "vlan 20", "use": "video", "bytes": 7000, "connections": 9, "clients": 5}]}
{"day": "2026-11-21", "users": 57, "systems": [{"system": "android", "clients": 31}]}
"too_few" stands where there was something that fewer than three did, "at_least" where a count was cut.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.classify.categories import Category, OsFamily
from appliance.model.errors import DecodeError
from appliance.model.instants import DAY_NS, HOUR_NS, day_of, from_iso, to_iso
from appliance.statistics.places import is_place

LINE_LIMIT = 1 << 26
"""Bytes of a line that are read: 262,144 cells make 40 MB."""

_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d:00:00Z")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
USES = frozenset(category.name.lower() for category in Category)
SYSTEMS = frozenset(family.name.lower() for family in OsFamily)


@dataclass(frozen=True)
class Users:
    """How many distinct clients; `least` of them where not `exact`."""

    least: int
    exact: bool = True


@dataclass(frozen=True)
class Use:
    """What three clients or more did at a place. `connections` are those that ended."""

    place: str
    use: str
    octets: int
    connections: int
    clients: Users


@dataclass(frozen=True)
class HourStatement:
    """One part of an hour's totals: all that one run counted until it wrote. `users` None: too few to say."""

    start_ns: int
    users: Users | None
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True)
class DayStatement:
    """Distinct clients of a day, and of each system. `too_few`: some systems had too few to be named."""

    start_ns: int
    users: Users | None
    systems: tuple[tuple[str, Users], ...] = ()
    too_few: bool = False


Statement = HourStatement | DayStatement


def line(statement: Statement) -> str:
    """The statement as a line of JSON, without its end."""
    shown: dict[str, object]
    if isinstance(statement, HourStatement):
        shown = {"hour": f"{to_iso(statement.start_ns)[:19]}Z", **_of(statement.users, "users")}
        cells = [
            {
                "place": use.place,
                "use": use.use,
                "bytes": use.octets,
                "connections": use.connections,
                **_of(use.clients, "clients"),
            }
            for use in statement.uses
        ]
        shown |= {"cells": cells} if cells else {}
    else:
        shown = {"day": day_of(statement.start_ns).isoformat(), **_of(statement.users, "users")}
        shown["systems"] = [{"system": name, **_of(count, "clients")} for name, count in statement.systems]
        shown |= {"too_few": True} if statement.too_few else {}
    return json.dumps(shown, separators=(",", ":"))


def _of(users: Users | None, name: str) -> dict[str, object]:
    if users is None:
        return {"too_few": True}
    shown: dict[str, object] = {name: users.least}
    return shown if users.exact else shown | {"at_least": True}


def parse(text: str) -> Statement:
    """A line as a statement. Raises DecodeError for anything that `line` cannot have made."""
    try:
        told = json.loads(text)
        return _day(told) if "day" in told else _hour(told)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DecodeError("a line of statistics is not one of ours; it was left out") from error


def _hour(told: Mapping[str, Any]) -> HourStatement:
    start_ns = _instant(told["hour"], _HOUR)
    if start_ns % HOUR_NS:
        raise ValueError("not an hour")
    if "users" not in told:
        return HourStatement(start_ns, None) if told["too_few"] is True else _refused()
    uses = tuple(
        Use(
            _known(cell["place"], is_place(cell["place"])),
            _known(cell["use"], cell["use"] in USES),
            _number(cell["bytes"]),
            _number(cell["connections"]),
            _users(cell, "clients"),
        )
        for cell in told["cells"]
    )
    return HourStatement(start_ns, _users(told, "users"), uses)


def _day(told: Mapping[str, Any]) -> DayStatement:
    start_ns = _instant(told["day"], _DAY)
    if start_ns % DAY_NS:
        raise ValueError("not a day")
    systems = tuple(
        (_known(one["system"], one["system"] in SYSTEMS), _users(one, "clients")) for one in told["systems"]
    )
    users = _users(told, "users") if "users" in told else None
    return DayStatement(start_ns, users, systems, told.get("too_few", False) is True)


def _refused() -> Any:
    raise ValueError("neither users nor a mark that there were too few")


def _instant(text: object, form: re.Pattern[str]) -> int:
    if not isinstance(text, str) or not form.fullmatch(text):
        raise ValueError("no instant")
    return from_iso(text)


def _known(text: Any, known: bool) -> str:
    if not isinstance(text, str) or not known:
        raise ValueError("no name of ours")
    return text


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError("no count")
    return value


def _users(told: Mapping[str, Any], name: str) -> Users:
    least = _number(told[name])
    if least < 3:
        raise ValueError("a count that must not have been stored")
    return Users(least, told.get("at_least", False) is not True)
