"""Logs of gateways and access points, read from files: who was behind an address; and no name of a site."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.syslog.test_content import FIELDS, WHOLE
from tests.feeds.syslog.test_vendors import FIXTURES, VENDORS
from tests.system.boxes import Box, make_box

MAC = "a4:bb:cc:dd:ee:01"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    return make_box(tmp_path_factory.mktemp("logs"), ["10.0.0.0/8", "192.168.0.0/16"])


def rows(box: Box, verb: str, *question: str) -> list[dict[str, Any]]:
    said = box.run(verb, *box.identities, "--format", "jsonl", *question)
    return [json.loads(line) for line in said.splitlines()]


def test_who_was_behind_a_public_port(box: Box, tmp_path: Path) -> None:
    """Events of conntrack and a lease of dnsmasq, of the same minute: the MAC by its public port."""
    log = tmp_path / "gateway.log"
    lease = f"2026-11-22T03:44:30+00:00 gw dnsmasq-dhcp[7]: DHCPACK(lan) 10.9.0.2 {MAC} secret-phone\n"
    log.write_text(lease + (VENDORS / "conntrack-nat" / "lines.log").read_text())
    told = box.json("feed", "--kind", "syslog", log)
    assert told["refused"] == {}
    at = ("--at", "2026-11-22T03:44:35.6Z")
    behind = rows(box, "bindings", "--nat-ip", "198.51.100.1", "--nat-port", "20916", *at)
    assert [(row["ip"], row["mac"]) for row in behind] == [("10.9.0.2", MAC)]
    flows = [row for row in rows(box, "search", "--peer", "198.51.100.9") if row["client_port"] == 51013]
    assert [(row["client_ip"], row["peer_port"], row["nat_ip"], row["nat_port"]) for row in flows] == [
        ("10.9.0.2", 53, "198.51.100.1", 20916)
    ]
    assert (flows[0]["packets_out"], flows[0]["bytes_out"], flows[0]["bytes_in"]) == (1, 68, 118)


def test_nothing_that_was_visited_is_kept(box: Box, tmp_path: Path) -> None:
    """Every published line and every line of content at once: no name in any row that custodians can read."""
    log = tmp_path / "all.log"
    lines = [f"<30>Nov 22 03:00:00 gw {line}" for line in WHOLE + FIELDS]
    for fixture in FIXTURES:
        lines += [line for line, _ in fixture.lines]
    log.write_text("\n".join(lines) + "\n")
    told = box.json("feed", "--kind", "syslog", log)
    assert told["refused"]["content"] >= len(WHOLE)
    kept = box.run("search", *box.identities, "--format", "jsonl")
    kept += box.run("bindings", *box.identities, "--format", "jsonl")
    assert kept.count("\n") > 100
    unwanted = {"visited", "secret-phone", *(text for fixture in FIXTURES for text in fixture.absent)}
    assert not [text for text in unwanted if text in kept]
    assert not [path for path, held in box.bytes_kept().items() if b"visited.org" in held]
