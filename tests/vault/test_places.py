"""One connection seen under two MACs, against a model that compares each row with each."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from appliance.model.instants import HOUR_NS, NS
from appliance.model.rows import TRAFFIC
from appliance.vault.columns import to_table
from appliance.vault.unseal import connections
from appliance.vault.unseal.connections import Connections
from appliance.vault.unseal.places import Sightings, owners

IDLE = 60 * NS
START = 1_773_478_800 * NS
CLIENT, OTHER, ROUTER = 0x0200_0000_0011, 0x0200_0000_0012, 0x0200_0000_00FE

Seen = tuple[int, float, float, int, int]
"""MAC, first and last in seconds after START, packets out and in"""


def table(parts: list[Seen], behind: tuple[int, ...] = (), ports: tuple[int, ...] = (5000,)) -> pa.Table:
    rows = np.zeros(len(parts), TRAFFIC)
    rows["client_ip_lo"], rows["peer_ip_lo"], rows["client_port"], rows["peer_port"] = 7, 9, ports, 443
    rows["protocol"], rows["end_reason"] = 17, 1
    rows["client_mac"], first, last, rows["packets_out"], rows["packets_in"] = zip(*parts, strict=True)
    rows["first_seen"] = START + np.rint(np.array(first) * 10).astype(np.int64) * (NS // 10)
    rows["last_seen"] = START + np.rint(np.array(last) * 10).astype(np.int64) * (NS // 10)
    rows["vlan"] = np.where(rows["client_mac"] == ROUTER, 99, 7)
    rows["ap_mac"] = np.where(rows["client_mac"] == ROUTER, 0, 0x02B0_0000_0001)
    rows["behind_router"][list(behind)] = True
    return to_table(rows, ["a"])


def told(found: Iterator[pa.Table]) -> list[Seen]:
    rows: list[Seen] = []
    for each in found:
        first, last = (
            (each[name].cast(pa.int64()).to_numpy() - START) // (NS // 10) / 10
            for name in ("first_seen", "last_seen")
        )
        macs = [int.from_bytes(mac or b"", "big") for mac in each["client_mac"].to_pylist()]
        counts = (each[name].to_pylist() for name in ("packets_out", "packets_in"))
        rows += list(zip(macs, first.tolist(), last.tolist(), *counts, strict=True))
    return sorted(rows)


def merged(parts: list[Seen], behind: tuple[int, ...] = ()) -> list[Seen]:
    return told(Connections().add(table(parts, behind), START + 24 * HOUR_NS))


def test_two_directions_seen_at_two_places_are_one_connection_of_the_one_that_sent() -> None:
    parts: list[Seen] = [(ROUTER, 0.1, 3.1, 0, 4), (CLIENT, 0.2, 3, 4, 0)]
    (over,) = Connections().add(table(parts), START + HOUR_NS)
    assert told(iter([over])) == [(CLIENT, 0.1, 3.1, 4, 4)]
    assert over["vlan"].to_pylist() == [7]
    assert over["ap_mac"].to_pylist() == [bytes.fromhex("02b000000001")]
    assert over["behind_router"].to_pylist() == [False]


def test_a_packet_seen_behind_a_router_only_is_the_clients() -> None:
    assert merged([(CLIENT, 0, 5, 5, 2), (ROUTER, 3, 3, 1, 0)], behind=(1,)) == [(CLIENT, 0, 5, 6, 2)]
    apart: list[Seen] = [(CLIENT, 0, 5, 5, 2), (ROUTER, 3, 3, 1, 0)]
    assert merged(apart) == sorted(apart)  # it sent as itself: two devices use one address


def test_nobody_is_joined_to_one_of_two_nor_to_one_without_a_mac_nor_over_a_silence() -> None:
    for apart in (
        [(CLIENT, 0, 5, 5, 0), (OTHER, 1, 4, 5, 0), (ROUTER, 0, 5, 0, 9)],
        [(0, 0, 5, 5, 0), (ROUTER, 0, 5, 0, 9)],
        [(CLIENT, 0, 5, 5, 0), (ROUTER, 65.1, 70, 0, 9)],
        [(CLIENT, 70, 75, 5, 0), (ROUTER, 0, 9.9, 0, 9)],
        [(ROUTER, 0, 5, 0, 9), (OTHER, 0, 5, 0, 9)],
    ):
        assert merged(apart) == sorted(apart)
    assert len(merged([(CLIENT, 0, 5, 5, 0), (ROUTER, 65, 70, 0, 9)])) == 1
    assert len(merged([(CLIENT, 70, 75, 5, 0), (ROUTER, 0, 10, 0, 9)])) == 1


def test_other_ends_and_other_sources_are_not_looked_at() -> None:
    for name in ("client_ip_lo", "peer_ip_lo", "client_port", "peer_port", "protocol", "source"):
        rows = np.zeros(2, TRAFFIC)
        rows["client_mac"], rows["packets_out"], rows["packets_in"] = (CLIENT, ROUTER), (1, 0), (0, 1)
        rows["first_seen"] = rows["last_seen"] = START
        rows["end_reason"] = 1
        assert len(next(Connections().add(to_table(rows, ["a", "b"]), START + HOUR_NS))) == 1
        rows[name][1] = 1
        assert len(next(Connections().add(to_table(rows, ["a", "b"]), START + HOUR_NS))) == 2


def test_a_port_used_again_after_a_reset_stays_two_connections() -> None:
    parts: list[Seen] = [
        (CLIENT, 0, 5, 5, 0),
        (ROUTER, 0.1, 5, 0, 3),
        (CLIENT, 7, 9, 2, 0),
        (ROUTER, 7.1, 9, 0, 1),
    ]
    rows = table(parts)
    ended = rows.set_column(
        rows.column_names.index("end_reason"), "end_reason", pa.array([3] * 4, pa.uint8())
    )
    assert told(Connections().add(ended.cast(rows.schema), START + HOUR_NS)) == [
        (CLIENT, 0, 5, 5, 3),
        (CLIENT, 7, 9, 2, 1),
    ]


def test_a_client_silent_while_it_is_sent_to_has_one_connection() -> None:
    parts: list[Seen] = [(CLIENT, 0, 5, 5, 0), (ROUTER, 0, 400, 0, 90), (CLIENT, 300, 310, 5, 0)]
    assert merged(parts) == [(CLIENT, 0, 400, 10, 90)]


def test_many_that_wait_are_given_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WAITING_LIMIT", 2)
    rows = [(CLIENT, 10 * n, 10 * n + 1, 1, 0) for n in range(300)]
    part = table([(ROUTER, 0, 3599, 0, 9), *rows])
    ended = pa.array([1] + [3] * 300, pa.uint8())
    part = part.set_column(part.column_names.index("end_reason"), "end_reason", ended)
    merge = Connections()
    over = told(merge.add(part.cast(table(rows).schema), START + HOUR_NS))
    assert len(over) > 290
    rest = merge.rest()
    assert rest is not None
    found = [*over, *told(iter([rest]))]
    assert sum(row[3] for row in found) == 300
    assert sum(row[4] for row in found) == 9


Row = tuple[int, int, int, int, bool]
"""ends, MAC, first and last in seconds, whether it sends"""


def plain_owner(rows: list[Row], number: int) -> set[int]:
    """Those it may belong to: itself, or all of the only MAC that sent within the timeout."""
    ends, mac, first, last, sends = rows[number]
    near = {
        at
        for at, (its, _, begun, until, sent) in enumerate(rows)
        if sent and its == ends and begun <= last + 60 and until >= first - 60
    }
    macs = {rows[at][1] for at in near}
    if sends or len(macs) != 1 or macs <= {0, mac}:
        return {number}
    gaps = {at: max(0, first - rows[at][3], rows[at][2] - last) for at in near}
    return {at for at in near if gaps[at] == min(gaps.values())}


@st.composite
def sighted(draw: st.DrawFn) -> list[Row]:
    """Rows of few ends and MACs; those of one MAC that send follow one another and do not overlap."""
    rows: list[Row] = []
    for ends in range(draw(st.integers(1, 2))):
        for mac in draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)):
            now = draw(st.integers(0, 300))
            for _ in range(draw(st.integers(1, 4))):
                last = now + draw(st.integers(0, 90))
                rows.append((ends, mac, now, last, draw(st.booleans())))
                now = last + draw(st.sampled_from([1, 59, 60, 61, 200]))
    return draw(st.permutations(rows))


@settings(max_examples=150, deadline=None)
@given(sighted())
def test_owners_are_those_a_loop_finds(rows: list[Row]) -> None:
    ends, mac, first, last, sends = (np.array(column) for column in zip(*rows, strict=True))
    seen = Sightings(
        ends,
        mac.astype(np.uint64),
        np.zeros(len(rows), np.uint64),
        first * NS,
        last * NS,
        np.ones(len(rows), np.bool_),  # so that no two that send are one
        sends,
    )
    for number, owner in enumerate(owners(seen, IDLE).tolist()):
        assert owner in plain_owner(rows, number)


@settings(max_examples=60, deadline=None)
@given(sighted(), st.integers(20, 300))
@example([(0, 1, 0, 0, False), (0, 1, 59, 59, False), (0, 1, 118, 118, True), (0, 0, 0, 0, False)], 20)
def test_cut_anywhere_the_answer_is_the_same(rows: list[Row], step: int) -> None:
    parts: list[Seen] = [(mac, first, last, int(sends), 1) for _, mac, first, last, sends in rows]
    whole, merge = table(parts, ports=tuple(row[0] for row in rows)), Connections()
    starts = np.array([part[1] for part in parts])
    over: list[pa.Table] = []
    for begin in range(0, 1500, step):
        now: NDArray[np.bool_] = (starts >= begin) & (starts < begin + step)
        over.extend(merge.add(whole.filter(pa.array(now)), START + (begin + step) * NS))
    rest = merge.rest()
    assert rest is not None
    assert told(iter([*over, rest])) == told(Connections().add(whole, START + 24 * HOUR_NS))
