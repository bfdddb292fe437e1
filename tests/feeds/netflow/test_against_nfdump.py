"""The same exports, received by nfcapd: what it makes of them and what we do, or why it is wrong."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import pytest

from appliance.model.addresses import ip_text
from tests.feeds.netflow.collected import collect
from tests.feeds.netflow.exports import Case, read_cases
from tests.feeds.netflow.test_against_tshark import decode

CASES = read_cases()
_WITH_PORTS = {6, 17, 33, 132, 136}


@functools.cache
def collections() -> dict[str, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        found = collect([case.messages for case in CASES], Path(folder))
    return {case.name: each for case, each in zip(CASES, found, strict=True)}


def ours(row: Any) -> tuple[Any, ...]:
    ends = (ip_text(int(row[f"{side}_ip_hi"]), int(row[f"{side}_ip_lo"])) for side in ("src", "dst"))
    rate = max(int(row["sampling"]), 1)
    counters = (int(row["packets"]) * rate, int(row["octets"]) * rate)
    back = (int(row["packets_back"]) * rate, int(row["octets_back"]) * rate)
    return (*ends, int(row["src_port"]), int(row["dst_port"]), int(row["protocol"]), *counters, *back)


def theirs(record: dict[str, Any]) -> tuple[Any, ...]:
    protocol = record.get("proto", 0)
    ends = tuple(record.get(f"{side}4_addr") or record.get(f"{side}6_addr", "") for side in ("src", "dst"))
    ports = tuple(record.get(f"{side}_port", 0) if protocol in _WITH_PORTS else -1 for side in ("src", "dst"))
    counters = (record.get("in_packets", 0), record.get("in_bytes", 0))
    back = (record.get("out_packets", 0), record.get("out_bytes", 0))
    return (*ends, *ports, protocol, *counters, *back)


RIGHT = [case for case in CASES if "nfdump" not in case.stated]


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_every_flow_is_as_nfdump_reads_it(case: Case) -> None:
    """In any order. Cases that state why nfdump is wrong are compared with tshark alone."""
    expected = [theirs(each) for each in collections()[case.name]]
    found = [ours(row) for row in decode(case)[0].flows]
    assert sorted(found) == sorted(expected)


def test_it_is_right_mostly() -> None:
    assert len(RIGHT) >= 38
