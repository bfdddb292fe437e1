"""Counters since a flow began: what is told of a flow comes to its latest total, however it is reported."""

import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.netflow.totals import FLOWS_LIMIT
from appliance.feeds.told import Messages, Rows, Told
from appliance.model.texts import Texts
from tests.feeds.netflow import dissected
from tests.feeds.netflow.exports import dissect
from tests.feeds.netflow.forms import FLOW, NOW_NS, NOW_S, UPTIME_MS, a_set, ipfix, messages, template, v9
from tests.forge import reading

ENDS = FLOW[:5]
DATED = (*ENDS, (85, 8), (86, 8), (152, 8), (153, 8), (136, 1))
UNDATED = (*ENDS, (85, 8), (86, 8))
SINCE_BOOT = (*UNDATED, (22, 4), (21, 4))
ACTIVE, ENDED = 2, 3
NOW_MS = NOW_S * 1000
START_MS = NOW_MS - 3_600_000


def ends(host: int) -> bytes:
    return struct.pack("!4sIHHB", bytes([192, 0, 2, 1]), host, 40_000, 443, 6)


def report(octets: int, minute: int, *, host: int = 1, reason: int = ACTIVE, start: int = START_MS) -> bytes:
    counted = struct.pack("!QQ", octets, octets // 100)
    return ends(host) + counted + struct.pack("!QQB", start, START_MS + 60_000 * minute, reason)


class Exporter:
    """One exporter: each call is one message."""

    def __init__(self, fields: tuple[tuple[int, int], ...] = DATED, domains: int = 1) -> None:
        self.decoder = NetflowDecoder(Texts())
        self.noted: Counter[str] = Counter()
        for domain in range(1, domains + 1):
            self._take(ipfix(a_set(2, template(256, fields)), domain=domain))

    def _take(self, message: bytes) -> Told:
        told = self.decoder.decode(messages(message, at_ns=NOW_NS))
        self.noted += told.noted
        return told

    def told(self, *records: bytes, domain: int = 1) -> Rows:
        return self._take(ipfix(a_set(256, b"".join(records)), domain=domain)).flows

    def octets(self, *records: bytes, domain: int = 1) -> list[int]:
        return self.told(*records, domain=domain)["octets"].tolist()


def test_reports_apart_come_to_the_latest_total() -> None:
    exporter = Exporter()
    assert [exporter.octets(report(1000 * n, n)) for n in (1, 2, 3, 4)] == [[1000]] * 4
    assert not exporter.noted


def test_one_report_with_a_start_and_its_end_counts_whole_and_takes_no_memory() -> None:
    exporter = Exporter()
    assert exporter.octets(*(report(5000, 3, host=host, reason=ENDED) for host in range(50))) == [5000] * 50
    assert len(exporter.decoder._totals) == 0


def test_flows_of_other_starts_ends_or_domains_are_others() -> None:
    exporter = Exporter(domains=2)
    assert exporter.octets(report(1000, 1), report(1000, 1, host=2)) == [1000, 1000]
    assert exporter.octets(report(2000, 30, start=START_MS + 1_200_000)) == [2000]
    assert exporter.octets(report(1500, 2), domain=2) == [1500]


def test_a_report_that_comes_twice_is_counted_once() -> None:
    exporter = Exporter()
    assert exporter.octets(report(1000, 1), report(1000, 1)) == [1000]
    assert exporter.octets(report(1000, 1)) == []
    assert exporter.noted == {"flow_repeated": 2}


def test_the_end_is_told_once_though_nothing_was_added() -> None:
    exporter = Exporter()
    exporter.octets(report(1000, 1))
    end = report(1000, 2, reason=ENDED)
    rows = exporter.told(end)
    assert rows[["octets", "packets", "end_reason"]].tolist() == [(0, 0, ENDED)]
    assert exporter.octets(end) == []


def test_a_late_report_adds_nothing() -> None:
    exporter = Exporter()
    assert exporter.octets(report(3000, 3)) == [3000]
    assert exporter.octets(report(2000, 2)) == []
    assert exporter.octets(report(3500, 4)) == [500]


def test_a_counter_that_began_anew_counts_whole() -> None:
    exporter = Exporter()
    exporter.octets(report(3000, 3))
    assert exporter.octets(report(800, 4)) == [800]
    assert exporter.octets(report(1000, 5)) == [200]


def test_a_flow_without_a_start_is_one_until_it_falls() -> None:
    exporter = Exporter(UNDATED)
    sizes = (1000, 1800, 1800, 2500)
    found = [exporter.octets(ends(1) + struct.pack("!QQ", each, each // 100)) for each in sizes]
    assert found == [[1000], [800], [], [700]]


def test_a_start_since_boot_is_the_same_although_the_clock_is_cut_to_the_second() -> None:
    decoder = NetflowDecoder(Texts())
    found = []
    for n in (1, 2, 3):
        now_ms = UPTIME_MS + 60_400 * n  # the seconds of the header do not show the 400 ms
        octets = ends(1) + struct.pack("!QQ", 1000 * n, 10 * n) + struct.pack("!II", UPTIME_MS, now_ms - 1000)
        sets = (a_set(0, template(256, SINCE_BOOT)), a_set(256, octets))
        message = v9(*sets, sequence=n, uptime=now_ms, at_s=NOW_S + 60_400 * n // 1000)
        found += decoder.decode(messages(message, at_ns=NOW_NS + 60_400 * n * 10**6)).flows["octets"].tolist()
    assert found == [1000, 1000, 1000]


def test_what_is_forgotten_is_said_and_counts_anew() -> None:
    exporter = Exporter()
    for start in range(0, FLOWS_LIMIT + 1000, 1000):
        exporter.octets(*(report(1000, 1, host=host) for host in range(start, start + 1000)))
    held = len(exporter.decoder._totals)
    assert held == FLOWS_LIMIT
    hosts = -(-(FLOWS_LIMIT + 1000) // 1000) * 1000
    assert exporter.noted == {"totals_forgotten": hosts - FLOWS_LIMIT}
    assert exporter.octets(report(1500, 2, host=hosts - 1)) == [500]
    assert exporter.octets(report(1500, 2, host=0)) == [1500]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_and_any_cut_into_messages_comes_to_the_latest_totals(data: st.DataObject) -> None:
    """As long as nothing falls: the largest total that was reported of each flow, however it arrives."""
    steps = data.draw(
        st.lists(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), min_size=1, max_size=4)
    )
    reports = [
        (host, total, minute)
        for host, growth in enumerate(steps)
        for minute, total in enumerate(np.cumsum(growth).tolist())
    ]
    exporter = Exporter()
    sums: Counter[int] = Counter()
    waiting = data.draw(st.permutations(reports))
    while waiting:
        size = data.draw(st.integers(1, len(waiting)))
        rows = exporter.told(*(report(total, minute, host=host) for host, total, minute in waiting[:size]))
        for row in rows:
            sums[int(row["dst_ip_lo"]) & 0xFFFF_FFFF] += int(row["octets"])
        waiting = waiting[size:]
    assert [sums[host] for host in range(len(steps))] == [sum(growth) for growth in steps]


def decode(case: Any) -> Rows:
    payloads = [bytes.fromhex(each) for each in case.messages]
    return NetflowDecoder(Texts()).decode(Messages(np.zeros(len(payloads), np.int64), payloads)).flows


def test_tshark_reads_the_same_totals_and_instants_of_both_ways(tmp_path: Path) -> None:
    cases = [
        each for each in reading.cases("netflow_exports.py") if each.name.startswith(("totals", "biflow,"))
    ]
    trees = dissect([[bytes.fromhex(each) for each in case.messages] for case in cases], tmp_path)
    for case, tree in zip(cases, trees, strict=True):
        rows = decode(case)
        records = [record for _, record in dissected.records(tree)]
        if case.name.startswith("totals"):
            for name, place in (("octets", 0), ("octets_back", 1)):
                totals = [record["cflow.permanent_octets"] for record in records]
                shown = [each if isinstance(each, list) else [each, "0"] for each in totals]
                assert int(rows[name].sum()) == max(int(each[place]) for each in shown), case.name
            continue
        firsts, lasts = dissected.instants(*next(dissected.records(tree)), dissected.init_of(tree))
        for name, instant in (("first", min(firsts)), ("last", max(lasts))):
            assert abs(int(rows[name][0]) - instant) <= 1, case.name  # tshark cuts NTP's fractions below
