"""The tables in TOML to values: domain suffixes, ports and DHCP fingerprints.

Each group says where its facts were seen (`source`, `read`, and `copy` if it was not the page itself that
was opened), or that they were seen nowhere (`basis`): some of those that are shipped are general knowledge.
A box may carry its own files in place of the shipped ones, so every mistake is told with file, line and key.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from appliance.classify.categories import NOTHING_KNOWN, Category, OsFamily
from appliance.model.errors import HomeError

_Member = TypeVar("_Member", Category, OsFamily)

_SUFFIX = re.compile(
    r"^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$"
)
_RANGE = re.compile(r"^([0-9]+)(?:-([0-9]+))?$")
_SEEN: Mapping[str, type] = {"source": str, "read": date}
_ABOUT: Mapping[str, type] = {**_SEEN, "copy": str, "basis": str}
"""Where the facts of a group stand, when and in what copy of it they were read; or what else they rest on."""


@dataclass(frozen=True)
class Ports:
    """(65536,) category of a TCP and of a UDP port, (256,) of an IP protocol; 0: not in the table."""

    tcp: NDArray[np.uint8]
    udp: NDArray[np.uint8]
    protocols: NDArray[np.uint8]


@dataclass(frozen=True)
class Tables:
    """What is known beforehand. `domains` are suffixes of names in lower case; the longest one counts.

    `fingerprints` are the values of DHCP option 55, byte for byte.
    """

    domains: Mapping[str, Category]
    ports: Ports
    fingerprints: Mapping[bytes, OsFamily]


def parse_domains(text: str, file: str) -> Mapping[str, Category]:
    """domains.toml: groups of `category` and `suffixes`. Raises HomeError naming file, line and key."""
    domains: dict[str, Category] = {}
    for group in _groups(text, file, {"category": str, "suffixes": list}):
        category = group.member("category", Category)
        for suffix in group.values["suffixes"]:
            if not isinstance(suffix, str) or not _SUFFIX.match(suffix):
                raise group.error("suffixes", f"{suffix!r} is no domain in lower case")
            if suffix in domains:
                raise group.error("suffixes", f"{suffix!r} stands there twice")
            domains[suffix] = category
    return domains


def parse_ports(text: str, file: str) -> Ports:
    """ports.toml: groups of `category` and `tcp`, `udp`, `protocols`, numbers or texts like "27015-27030"."""
    ports = Ports(*(np.zeros(size, np.uint8) for size in (65536, 65536, 256)))
    for group in _groups(text, file, {"category": str}, {"tcp": list, "udp": list, "protocols": list}):
        category = group.member("category", Category)
        for key in ("tcp", "udp", "protocols"):
            table = getattr(ports, key)
            for value in group.values.get(key, []):
                first, last = group.range(key, value, len(table) - 1)
                if (table[first : last + 1] != NOTHING_KNOWN).any():
                    raise group.error(key, f"{value!r} stands there twice")
                table[first : last + 1] = category
    return ports


def parse_fingerprints(text: str, file: str) -> Mapping[bytes, OsFamily]:
    """fingerprints.toml: groups of `family` and `parameters`, texts like "1,3,6,15"."""
    fingerprints: dict[bytes, OsFamily] = {}
    for group in _groups(text, file, {"family": str, "parameters": list}):
        family = group.member("family", OsFamily)
        for listed in group.values["parameters"]:
            try:
                codes = bytes(int(code) for code in listed.split(","))
            except (AttributeError, ValueError):
                raise group.error("parameters", f"{listed!r} is no list of numbers 0 to 255") from None
            if codes in fingerprints:
                raise group.error("parameters", f"{listed!r} stands there twice")
            fingerprints[codes] = family
    return fingerprints


@dataclass(frozen=True)
class _Group:
    """One [[group]] of a file, its keys known and typed; `line` is where it begins."""

    file: str
    text: str
    line: int
    values: Mapping[str, Any]

    def error(self, key: str, wrong: str) -> HomeError:
        """What to raise for this key."""
        line = self.line
        for number, content in enumerate(self.text.splitlines()[self.line :], self.line + 1):
            if content.strip() == "[[group]]":
                break
            if re.match(rf"\s*{re.escape(key)}\s*=", content):
                line = number
                break
        return HomeError(f"{self.file} line {line}: {key}: {wrong}; correct it")

    def vouch(self) -> None:
        """Raise unless it says either where its facts were read and when, or on what else they rest."""
        seen = [key for key in ("source", "read", "copy") if key in self.values]
        if "basis" in self.values:
            if seen:
                raise self.error("basis", f"{seen[0]} stands beside it; a group has one or the other")
            if not self.values["basis"].strip():
                raise self.error("basis", "says nothing")
            return
        for key in _SEEN:
            if key not in self.values:
                raise self.error(key, "is missing, and so is basis")

    def member(self, key: str, closed: type[_Member]) -> _Member:
        """The member of a closed list that this key names."""
        try:
            return closed[self.values[key].upper()]
        except KeyError:
            names = ", ".join(member.name.lower() for member in closed)
            raise self.error(key, f"'{self.values[key]}' is none of {names}") from None

    def range(self, key: str, value: Any, most: int) -> tuple[int, int]:
        """First and last number of 443 or "27015-27030"."""
        written = _RANGE.match(str(value))
        first, last = (int(written[1]), int(written[2] or written[1])) if written else (-1, -1)
        if not 0 <= first <= last <= most:
            raise self.error(key, f"{value!r} is no number 0 to {most} and no range of them")
        return first, last


def _groups(
    text: str,
    file: str,
    wanted: Mapping[str, type],
    allowed: Mapping[str, type] = {},
) -> Iterator[_Group]:
    """The groups of a file, each with the keys it must have and may have."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HomeError(f"{file} is not valid TOML: {error}; correct that line") from error
    groups = content.get("group", [])
    beside = [key for key in content if key != "group"]
    if beside or not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise HomeError(
            f"{file}: {beside[0] if beside else 'group'}: only [[group]] may stand there; correct it"
        )
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip() == "[[group]]"]
    for index, values in enumerate(groups):
        group = _Group(file, text, lines[index] if index < len(lines) else 1, values)
        for key in wanted:
            if key not in values:
                raise group.error(key, "is missing")
        for key, value in values.items():
            kind = {**_ABOUT, **wanted, **allowed}.get(key)
            if kind is None:
                raise group.error(key, "there is no such key")
            if not isinstance(value, kind):
                raise group.error(key, f"must be a {_KIND_NAMES[kind]}")
        group.vouch()
        yield group


_KIND_NAMES: Mapping[type, str] = {str: "text in quotes", list: "list", date: "date like 2026-11-21"}
