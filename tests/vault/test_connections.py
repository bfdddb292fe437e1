"""Merging parts against a model so slow and plain that it can be checked by eye."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from appliance.model.instants import HOUR_NS, NS
from appliance.model.rows import TRAFFIC
from appliance.vault.columns import to_table
from appliance.vault.unseal import parts as columns
from appliance.vault.unseal.connections import Connections, once

IDLE = 60 * NS
START = 1_773_478_800 * NS

Chain = tuple[int, int, int, int, int, int]
"""client port, first, last, packets out, bytes in, end reason"""


def slowly_merged(rows: list[Chain]) -> list[Chain]:
    """Rule 2, one row after the other."""
    merged: list[Chain] = []
    for port, first, last, packets, octets, end in sorted(rows):
        if merged and merged[-1][0] == port:
            _, begun, reached, sent, received, ended = merged[-1]
            if ended != 3 and first - reached <= IDLE:
                merged[-1] = (port, begun, max(last, reached), sent + packets, received + octets, end)
                continue
        merged.append((port, first, last, packets, octets, end))
    return sorted(merged)


def as_rows(parts: list[Chain]) -> NDArray[np.void]:
    rows = np.zeros(len(parts), TRAFFIC)
    rows["vlan"] = rows["peer_port"] = -1
    rows["client_ip_lo"], rows["peer_ip_lo"] = 7, 9
    for name, values in zip(
        ("client_port", "first_seen", "last_seen", "packets_out", "bytes_in", "end_reason"),
        zip(*parts, strict=True),
        strict=True,
    ):
        rows[name] = values
    return rows


def as_chains(tables: list[pa.Table]) -> list[Chain]:
    chains: list[Chain] = []
    for table in tables:
        first, last = (table[name].cast(pa.int64()).to_pylist() for name in ("first_seen", "last_seen"))
        names = ("packets_out", "bytes_in", "end_reason")
        others = [table[name].to_pylist() for name in names]
        chains += list(zip(table["client_port"].to_pylist(), first, last, *others, strict=True))
    return sorted(chains)


@st.composite
def histories(draw: st.DrawFn) -> list[Chain]:
    """Parts of a few keys over four hours; parts of one key follow each other and cross no hour."""
    parts: list[Chain] = []
    for port in range(draw(st.integers(1, 3))):
        now = START + draw(st.integers(0, 2 * HOUR_NS))
        for _ in range(draw(st.integers(1, 8))):
            now += draw(st.sampled_from([NS, 59 * NS, IDLE, IDLE + 1, 10 * IDLE, HOUR_NS]))
            hour_end = now - now % HOUR_NS + HOUR_NS
            last = min(now + draw(st.integers(0, 60 * NS)), hour_end - 1)
            packets, octets = draw(st.integers(1, 9)), draw(st.integers(0, 1 << 40))
            parts.append((port, now, last, packets, octets, draw(st.sampled_from([1, 2, 3, 4, 5]))))
            now = last
    return parts


@settings(max_examples=150, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_hour_by_hour_gives_what_all_at_once_gives(parts: list[Chain], random: object) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    merge = Connections()
    given_out = []
    for hour in range(START // HOUR_NS, START // HOUR_NS + 14):
        now = [part for part in shuffled if part[1] // HOUR_NS == hour]
        rows = to_table(as_rows(now) if now else np.zeros(0, TRAFFIC), ["a"])
        given_out.extend(merge.add(rows, (hour + 1) * HOUR_NS))
    rest = merge.rest()
    assert rest is not None
    assert as_chains([*given_out, rest]) == slowly_merged(parts)


@settings(max_examples=150, deadline=None)
@given(histories(), st.data())
def test_versions_in_a_journal_and_copies_count_once(parts: list[Chain], data: st.DataObject) -> None:
    """Each part closed once, with any number of earlier open versions and of copies beside it."""
    rows = list(parts)
    for port, first, last, packets, octets, _ in parts:
        seen = data.draw(st.lists(st.integers(1, packets), max_size=3))
        rows += [(port, first, last - (packets - now), now, octets * now // packets, 0) for now in seen]
    rows += data.draw(st.lists(st.sampled_from(parts), max_size=4))
    assert as_chains([once(to_table(as_rows(rows), ["a"]))]) == sorted(parts)


def test_an_open_part_counts_until_its_end_is_known() -> None:
    early = [(1, START, START + NS, 2, 20, 0), (1, START, START + 2 * NS, 5, 50, 0)]
    assert as_chains([once(to_table(as_rows(early), ["a"]))]) == [early[1]]


def test_a_part_found_in_milliseconds_and_in_nanoseconds_is_one() -> None:
    fine = (1, START + 1_700_345, START + 5_100_001, 2, 20, 4)
    coarse = (1, START + 1_000_000, START + 6_000_000, 2, 20, 4)
    assert len(once(to_table(as_rows([fine, coarse]), ["a"]))) == 1


def test_two_parts_cut_within_a_millisecond_both_count() -> None:
    before, after = (1, START, START, 1, 60, 4), (1, START + 900_000, START + NS, 3, 99, 1)
    merge = Connections()
    over = merge.add(to_table(as_rows([before, after]), ["a"]), START + HOUR_NS)
    assert as_chains(list(over)) == [(1, START, START + NS, 4, 159, 1)]


def test_keys_differ_in_every_column_of_the_key() -> None:
    rows = as_rows([(1, START, START, 1, 1, 1)] * 9)
    for number, name in enumerate(
        (
            "client_ip_hi",
            "client_ip_lo",
            "peer_ip_hi",
            "peer_ip_lo",
            "client_mac",
            "peer_port",
            "protocol",
            "source",
        )
    ):
        rows[name][number] = 1
    assert len(once(to_table(rows, ["a", "b"]))) == 9


def test_roaming_is_seen_and_a_router_is_not_forgotten() -> None:
    rows = as_rows([(1, START + at * NS, START + at * NS, 1, 5, 2) for at in (0, 30, 60, 90)])
    rows["ap_mac"] = [0x02B000000001, 0x02B000000001, 0x02B000000002, 0x02B000000002]
    rows["behind_router"] = [False, True, False, False]
    merge = Connections()
    (over,) = merge.add(to_table(rows, ["a"]), START + HOUR_NS)
    assert [mac.hex() for mac in over["ap_mac"].to_pylist()] == ["02b000000001", "02b000000002"]
    assert over["packets_out"].to_pylist() == [2, 2]
    assert over["behind_router"].to_pylist() == [True, False]


def test_hashes_that_collide_do_not_merge_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "mixed", lambda hi, lo: np.zeros(len(lo), np.uint64))
    parts = [(port, START + at * NS, START + at * NS, 1, 5, 1) for at in range(6) for port in (1, 2, 3)]
    over = Connections().add(to_table(as_rows(parts), ["a"]), START + HOUR_NS)
    assert as_chains(list(over)) == slowly_merged(parts)
