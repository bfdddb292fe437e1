"""The same exports, received by nfcapd: what it makes of them and what we do, or why it is wrong.

Record by record, then what pairing makes of them against nfdump's sums.
"""

import datetime as dt
import functools
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.flows.pairing import Pairing
from appliance.model.addresses import ip_text
from appliance.model.networks import Networks
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


def began_ms(record: dict[str, Any]) -> int:
    """UTC ms; 0 where the record says no time. One OpenBSD states them the wrong way round."""
    said = [dt.datetime.fromisoformat(record[name]).replace(tzinfo=dt.UTC) for name in ("first", "last")]
    return min((round(one.timestamp() * 1000) for one in said if one.timestamp()), default=0)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_every_flow_begins_when_nfdump_says(case: Case) -> None:
    records = collections()[case.name]
    expected = Counter((theirs(each), began_ms(each)) for each in records if began_ms(each))
    found = Counter((ours(row), int(row["first"]) // 1_000_000) for row in decode(case)[0].flows)
    assert not expected - found


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_paired_rows_come_to_what_nfdump_counts(case: Case) -> None:
    """Between any two ends as many octets as in nfdump's records, and between no others."""
    flows = decode(case)[0].flows
    for name in ("octets", "octets_back"):
        flows[name] *= np.maximum(flows["sampling"], 1).astype(flows[name].dtype)
    pairs = Pairing(Networks.of(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]), 10_000)
    found: Counter[tuple[str, str]] = Counter()
    for row in np.concatenate([pairs.add(flows, 0, 0), pairs.finish()]):
        client, peer = (
            ip_text(int(row[f"{side}_ip_hi"]), int(row[f"{side}_ip_lo"])) for side in ("client", "peer")
        )
        found[client, peer] += int(row["bytes_out"])
        found[peer, client] += int(row["bytes_in"])
    expected: Counter[tuple[str, str]] = Counter()
    for one in {(*theirs(each), each["first"], each["last"]) for each in collections()[case.name]}:
        expected[one[0], one[1]] += one[6]  # stated twice, counted once
        expected[one[1], one[0]] += one[8]
    assert +found == +expected


def test_it_is_right_mostly() -> None:
    assert len(RIGHT) >= 38
