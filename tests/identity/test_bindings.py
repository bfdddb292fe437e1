"""Claims become intervals: judged by a few lines of plain Python that know nothing of batches or parts."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from appliance.identity.bindings import Bindings
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, NS, from_iso
from appliance.model.reasons import EndReason, Evidence
from appliance.model.rows import BINDING, CLAIM

TEN = from_iso("2026-11-21T10:00:00Z")
SILENCE = 15 * MINUTE_NS
Claim = tuple[int, int, int, int, Evidence, bool]  # seen, lease seconds, address, mac, evidence, released


def claims(*stated: Claim) -> NDArray[np.void]:
    rows = np.zeros(len(stated), CLAIM)
    for row, (seen, lease_s, address, mac, evidence, released) in zip(rows, stated, strict=True):
        until = seen + lease_s * NS if lease_s else 0
        row["seen"], row["until"], row["ip_lo"], row["mac"] = seen, until, address, mac
        row["vlan"], row["evidence"], row["released"] = -1, evidence, released
    return rows


def arp(seen: int, address: int = 1, mac: int = 2) -> Claim:
    return (seen, 0, address, mac, Evidence.ARP, False)


def lease(seen: int, lease_s: int, address: int = 1, mac: int = 2) -> Claim:
    return (seen, lease_s, address, mac, Evidence.DHCP, False)


def release(seen: int, address: int = 1, mac: int = 2) -> Claim:
    return (seen, 0, address, mac, Evidence.DHCP, True)


def spans(rows: NDArray[np.void]) -> list[tuple[int, int, int]]:
    """(from, until, end_reason) in minutes since ten, rounded, for tests that name every part."""
    return [
        (
            round((int(row["from"]) - TEN) / MINUTE_NS),
            round((int(row["until"]) - TEN) / MINUTE_NS),
            row["end_reason"],
        )
        for row in np.sort(rows, order=["from", "until"])
    ]


def test_a_binding_runs_from_its_first_claim_to_its_last_and_ends_by_silence() -> None:
    table = Bindings()
    assert not len(table.observe(claims(arp(TEN), arp(TEN + 5 * MINUTE_NS)), source=7))
    assert not len(table.expire(TEN + 20 * MINUTE_NS))
    rows = table.expire(TEN + 21 * MINUTE_NS)
    assert spans(rows) == [(0, 5, EndReason.IDLE_TIMEOUT)]
    assert rows["source"][0] == 7
    assert rows["mac"][0] == 2
    assert len(table) == 0


def test_a_lease_speaks_until_its_end() -> None:
    table = Bindings()
    table.observe(claims(lease(TEN, 1800)), source=0)
    assert not len(table.expire(TEN + 29 * MINUTE_NS))
    assert spans(table.expire(TEN + 31 * MINUTE_NS)) == [(0, 30, EndReason.END_OF_FLOW)]


def test_a_release_ends_a_lease_and_another_lease_begins_anew() -> None:
    table = Bindings()
    rows = table.observe(
        claims(lease(TEN, 3000), release(TEN + 10 * MINUTE_NS), lease(TEN + 20 * MINUTE_NS, 600)), source=0
    )
    assert spans(rows) == [(0, 10, EndReason.END_OF_FLOW)]
    assert spans(table.close()) == [(20, 30, EndReason.FORCED_END)]


def test_a_release_of_what_nobody_held_is_no_binding() -> None:
    table = Bindings()
    assert not len(table.observe(claims(release(TEN)), source=0))
    assert len(table) == 0


def test_an_answer_without_a_lease_does_not_shorten_the_lease() -> None:
    table = Bindings()
    table.observe(claims(lease(TEN, 3000)), source=0)
    table.observe(claims(lease(TEN + 10 * MINUTE_NS, 0)), source=0)
    assert spans(table.expire(TEN + 55 * MINUTE_NS)) == [(0, 50, EndReason.END_OF_FLOW)]


def test_a_lease_yields_a_part_an_hour_while_the_recorder_lives() -> None:
    table = Bindings()
    table.observe(claims(lease(TEN + 30 * MINUTE_NS, 2 * 3600)), source=0)
    written = [table.expire(TEN + hour * HOUR_NS) for hour in (1, 2, 3)]
    assert [spans(rows) for rows in written] == [
        [(30, 60, EndReason.ACTIVE_TIMEOUT)],
        [(60, 120, EndReason.ACTIVE_TIMEOUT)],
        [(120, 150, EndReason.END_OF_FLOW)],
    ]


def test_an_endless_lease_after_a_leap_of_the_clock_stays_bounded() -> None:
    table = Bindings()
    table.observe(claims(lease(TEN, 0xFFFF_FFFE)), source=0)
    rows = table.expire(TEN + 3650 * DAY_NS)
    assert len(rows) == 25
    assert rows["until"].max() == TEN + DAY_NS


def test_a_cut_writes_what_is_open_and_the_binding_goes_on() -> None:
    table = Bindings()
    table.observe(claims(arp(TEN), lease(TEN, 3000)), source=0)
    assert spans(table.cut(TEN + 10 * MINUTE_NS)) == [
        (0, 0, EndReason.ACTIVE_TIMEOUT),
        (0, 10, EndReason.ACTIVE_TIMEOUT),
    ]
    assert not len(table.cut(TEN + 10 * MINUTE_NS))
    table.observe(claims(arp(TEN + 12 * MINUTE_NS)), source=0)
    assert spans(table.close()) == [(10, 50, EndReason.FORCED_END), (12, 12, EndReason.FORCED_END)]


def test_what_was_cut_and_not_heard_of_again_is_not_written_twice() -> None:
    table = Bindings()
    table.observe(claims(arp(TEN)), source=0)
    table.cut(TEN + MINUTE_NS)
    assert not len(table.expire(TEN + HOUR_NS))
    assert len(table) == 0


def test_the_journal_hears_of_each_change_once() -> None:
    table = Bindings()
    table.observe(claims(arp(TEN), lease(TEN, 7200)), source=0)
    assert spans(table.changed()) == [(0, 0, 0), (0, 60, 0)]
    assert not len(table.changed())
    table.observe(claims(arp(TEN + 2 * MINUTE_NS)), source=0)
    assert spans(table.changed()) == [(0, 2, 0)]
    table.forget_reported()
    assert spans(table.changed()) == [(0, 2, 0), (0, 60, 0)]


def test_two_devices_that_claim_one_address_are_both_kept() -> None:
    table = Bindings()
    table.observe(claims(arp(TEN, mac=2), arp(TEN, mac=3), arp(TEN + MINUTE_NS, mac=2)), source=0)
    assert sorted(table.close()["mac"].tolist()) == [2, 3]


def test_a_flood_evicts_the_longest_unheard_of_and_says_so() -> None:
    table = Bindings(limit=1000)
    table.observe(claims(*(arp(TEN + index, address=index) for index in range(1, 1001))), source=0)
    rows = table.observe(
        claims(*(arp(TEN + NS + index, address=5000 + index) for index in range(1700))), source=0
    )
    assert len(table) == 1000
    assert table.evicted == 1700
    assert set(rows["end_reason"]) == {EndReason.LACK_OF_RESOURCES}
    everything = np.concatenate([rows, table.close()])
    assert sorted(everything["ip_lo"].tolist()) == sorted([*range(1, 1001), *range(5000, 6700)])


def test_a_clock_set_back_closes_what_lies_ahead() -> None:
    table = Bindings()
    table.observe(claims(arp(TEN + 5 * HOUR_NS)), source=0)
    rows = table.observe(claims(arp(TEN)), source=0)
    rows = np.concatenate(
        [rows, table.expire(TEN), table.observe(claims(arp(TEN + NS)), source=0), table.close()]
    )
    assert spans(rows) == [
        (0, 0, EndReason.IDLE_TIMEOUT),
        (0, 0, EndReason.FORCED_END),
        (300, 300, EndReason.FORCED_END),
    ]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_smallest_tables_work(limit: int) -> None:
    table = Bindings(limit)
    rows = [table.observe(claims(*(arp(TEN + index, address=index % 5) for index in range(40))), source=0)]
    rows.append(table.close())
    assert set(np.concatenate(rows)["ip_lo"].tolist()) == {0, 1, 2, 3, 4}


Interval = tuple[int, int]


def merged(intervals: list[Interval]) -> list[Interval]:
    """What a reader makes of parts: those that overlap or lie within 15 minutes are one."""
    together: list[Interval] = []
    for begin, end in sorted(intervals):
        if together and begin - together[-1][1] <= SILENCE:
            together[-1] = (together[-1][0], max(end, together[-1][1]))
        else:
            together.append((begin, end))
    return together


STATED = st.tuples(
    st.integers(0, 400).map(lambda minutes: TEN + minutes * MINUTE_NS),
    st.integers(1, 3),
    st.integers(1, 2),
)


@settings(max_examples=150, deadline=None)
@given(
    batches=st.lists(st.lists(STATED, max_size=12), max_size=8),
    cuts=st.lists(st.booleans(), min_size=8, max_size=8),
    in_order=st.booleans(),
)
def test_parts_add_up_to_the_intervals_whatever_the_batches(
    batches: list[list[tuple[int, int, int]]], cuts: list[bool], in_order: bool
) -> None:
    """Addresses claimed over ARP only, in batches of any shape, in order or not, cut anywhere."""
    if in_order:
        ordered = iter(sorted(claim for batch in batches for claim in batch))
        batches = [[next(ordered) for _ in batch] for batch in batches]
    table = Bindings()
    rows = [np.zeros(0, BINDING)]
    expected: dict[tuple[int, int], list[Interval]] = defaultdict(list)
    for batch, cut in zip(batches, cuts, strict=False):
        rows.append(table.observe(claims(*(arp(*claim) for claim in batch)), source=0))
        now = max((seen for seen, _, _ in batch), default=TEN)
        rows.append(table.cut(now) if cut else table.expire(now))
        for seen, address, mac in batch:
            expected[address, mac].append((seen, seen))
    rows.append(table.close())
    parts: dict[tuple[int, int], list[Interval]] = defaultdict(list)
    for row in np.concatenate(rows):
        begin, end = int(row["from"]), int(row["until"])
        assert begin <= end
        assert begin // HOUR_NS == end // HOUR_NS
        parts[int(row["ip_lo"]), int(row["mac"])].append((begin, end))
    assert {key: merged(found) for key, found in parts.items()} == {
        key: merged(found) for key, found in expected.items()
    }


HERE, THERE = 0x02B000000001, 0x02B000000002


def through(ap_mac: int, *stated: Claim) -> NDArray[np.void]:
    rows = claims(*stated)
    rows["ap_mac"] = ap_mac
    return rows


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "one batch"])
def test_a_part_is_of_one_ap_and_roaming_begins_another(together: bool) -> None:
    stated = [
        through(HERE, lease(TEN, 3000)),
        through(0, arp(TEN + 5 * MINUTE_NS)),
        through(HERE, arp(TEN + 6 * MINUTE_NS)),
        through(THERE, arp(TEN + 8 * MINUTE_NS), lease(TEN + 8 * MINUTE_NS, 3000)),
        through(HERE, arp(TEN + 9 * MINUTE_NS)),
    ]
    made = Bindings()
    batches = [np.concatenate(stated)] if together else stated
    rows = np.concatenate([*(made.observe(batch, 0) for batch in batches), made.close()])
    told = sorted(
        (int(row["evidence"]), (int(row["from"]) - TEN) // MINUTE_NS, int(row["ap_mac"])) for row in rows
    )
    arps = [(Evidence.ARP, 5, 0), (Evidence.ARP, 6, HERE), (Evidence.ARP, 8, THERE), (Evidence.ARP, 9, HERE)]
    assert told == [*arps, (Evidence.DHCP, 0, HERE), (Evidence.DHCP, 8, THERE)]
    (before,) = rows[(rows["evidence"] == Evidence.DHCP) & (rows["ap_mac"] == HERE)]
    assert (int(before["until"]), before["end_reason"]) == (TEN + 8 * MINUTE_NS - 1, EndReason.ACTIVE_TIMEOUT)
