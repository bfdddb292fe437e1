"""What vendors' lines tell, against what others published of them: `vendors/NAME/`, one folder a set."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.feeds.syslog.decoder import SyslogDecoder
from appliance.feeds.told import Messages, Told
from appliance.model.addresses import ip_text, mac_text
from appliance.model.instants import from_iso, to_iso
from appliance.model.reasons import EVIDENCE_NAMES
from appliance.model.texts import Texts

VENDORS = Path(__file__).parent / "vendors"
KINDS = ("flows", "claims", "translations")
INSTANTS = ("first", "last", "received", "seen", "until")
TEXTS = ("ssid", "user", "session", "class")


@dataclass(frozen=True)
class Fixture:
    name: str
    received_ns: int
    time_zone: str
    grammar: str
    absent: list[str]
    lines: list[tuple[str, dict[str, Any]]]


def fixtures() -> Iterator[Fixture]:
    for folder in sorted(VENDORS.iterdir()):
        stated = json.loads((folder / "expected.json").read_text())
        lines = (folder / "lines.log").read_text().splitlines()
        yield Fixture(
            folder.name,
            from_iso(stated["received"]),
            stated["time_zone"],
            stated["grammar"],
            stated["absent"],
            list(zip(lines, stated["lines"], strict=True)),
        )


FIXTURES = list(fixtures())


def decode(fixture: Fixture, texts: Texts, line: str) -> Told:
    decoder = SyslogDecoder(texts, fixture.time_zone, fixture.grammar)
    return decoder.decode(Messages(np.array([fixture.received_ns]), [line.encode()]))


def readable(row: Any, texts: Texts) -> dict[str, Any]:
    """A row as a person would write it: addresses, MACs, instants and texts as text."""
    said: dict[str, Any] = {}
    for name in row.dtype.names:
        value = row[name].item()
        if name.endswith("_hi"):
            name, low = name.removesuffix("_hi"), row[f"{name.removesuffix('_hi')}_lo"].item()
            value = ip_text(value, low) if value or low else ""
        elif name == "mac" or name.endswith("_mac"):
            value = mac_text(value) if value else ""
        elif name in INSTANTS:
            value = to_iso(value) if value else ""
        elif name in TEXTS:
            value = texts.all()[value]
        elif name == "evidence":
            value = EVIDENCE_NAMES[value]
        said[name] = value
    return said


def is_as_stated(found: dict[str, Any], stated: dict[str, Any]) -> bool:
    """Every stated field is found so; instants as far as they are stated."""
    return all(
        found[name].startswith(value) and bool(value) == bool(found[name])
        if name in INSTANTS
        else found[name] == value
        for name, value in stated.items()
    )


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_lines_tell_what_was_published_of_them(fixture: Fixture) -> None:
    for line, stated in fixture.lines:
        texts = Texts()
        told = decode(fixture, texts, line)
        for kind in KINDS:
            found = [readable(row, texts) for row in getattr(told, kind)]
            wanted = stated.get(kind, [])
            assert len(found) == len(wanted), (line, kind, found, told.refused)
            for one, expected in zip(found, wanted, strict=True):
                assert is_as_stated(one, expected), (line, expected, one)
        refused = {str(why): count for why, count in told.refused.items()}
        assert refused == ({stated["refused"]: 1} if "refused" in stated else {}), line
        assert set(stated.get("noted", [])) <= {str(note) for note in told.noted}, line
        assert "device_clock" not in told.noted, line


def test_every_set_says_where_it_comes_from() -> None:
    assert len(FIXTURES) >= 20
    for fixture in FIXTURES:
        assert len((VENDORS / fixture.name / "ORIGIN.md").read_text()) > 200
        assert fixture.lines


def test_no_url_no_visited_name_and_no_clients_name_is_told() -> None:
    """Over all lines at once: neither the rows nor the texts hold what a set says must be absent."""
    texts, kept = Texts(), b""
    for fixture in FIXTURES:
        for line, _ in fixture.lines:
            told = decode(fixture, texts, line)
            kept += b"".join(getattr(told, kind).tobytes() for kind in KINDS)
    kept += "\n".join(texts.all()).encode()
    unwanted = [text for fixture in FIXTURES for text in fixture.absent]
    assert len(unwanted) > 40
    for text in unwanted:
        assert any(text in line for fixture in FIXTURES for line, _ in fixture.lines), text
        assert text.encode() not in kept, text
        assert text.lower().encode() not in kept.lower(), text
