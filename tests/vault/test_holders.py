"""Parts of bindings to intervals: what a journal still called open gives way to how it ended."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.model.instants import HOUR_NS, NS
from appliance.model.reasons import EndReason, Evidence
from appliance.model.rows import BINDING
from appliance.vault.columns import to_table
from appliance.vault.unseal.intervals import intervals

BEGIN = 500_000 * HOUR_NS


def part(until_s: int, end_reason: int, begin_s: int = 0) -> NDArray[np.void]:
    row = np.zeros(1, BINDING)
    row["from"], row["until"] = BEGIN + begin_s * NS, BEGIN + until_s * NS
    row["ip_lo"], row["mac"], row["evidence"] = 7, 9, Evidence.DHCP
    row["vlan"], row["end_reason"] = -1, end_reason
    return row


def ends(*parts: NDArray[np.void]) -> list[int]:
    table: pa.Table = intervals(to_table(np.concatenate(parts), ["interface:mirror0"]))
    return [(value - BEGIN) // NS for value in table["until"].cast(pa.int64()).to_pylist()]


def test_a_lease_released_before_a_crash_ends_where_it_was_released() -> None:
    assert ends(part(3599, 0), part(120, EndReason.END_OF_FLOW)) == [120]
    assert ends(part(120, EndReason.END_OF_FLOW), part(3599, 0)) == [120]


def test_a_lease_that_only_a_journal_tells_of_counts() -> None:
    assert ends(part(1800, 0), part(3599, 0)) == [3599]


def test_parts_within_a_quarter_of_an_hour_are_one_interval() -> None:
    later = part(4000, EndReason.IDLE_TIMEOUT, begin_s=1000)
    assert ends(part(120, EndReason.ACTIVE_TIMEOUT), later) == [4000]
    assert ends(part(99, EndReason.IDLE_TIMEOUT), later) == [99, 4000]


def test_an_interval_is_of_one_ap() -> None:
    here, there = part(120, EndReason.ACTIVE_TIMEOUT), part(300, EndReason.END_OF_FLOW, begin_s=121)
    here["ap_mac"], there["ap_mac"] = 1, 2
    assert ends(here, there) == [120, 300]
    there["ap_mac"] = 1
    assert ends(here, there) == [300]


def session(begin_s: int, until_s: int, number: int, end_reason: int, octets: int = 0) -> NDArray[np.void]:
    row = part(until_s, end_reason, begin_s)
    row["evidence"], row["session"], row["bytes_in"] = Evidence.RADIUS, number, octets
    return row


def told(*parts: NDArray[np.void]) -> list[tuple[int, int, object, object, object]]:
    table: pa.Table = intervals(to_table(np.concatenate(parts), ["feed:nas"], ["", "S-1", "S-2"]))
    times = [
        [(value - BEGIN) // NS for value in table[name].cast(pa.int64()).to_pylist()]
        for name in ("from", "until")
    ]
    said = [table[name].to_pylist() for name in ("session", "bytes_in", "bytes_out")]
    return sorted(zip(*times, *said, strict=True))


def test_an_interval_is_of_one_session_and_has_its_last_counters() -> None:
    parts = [
        session(0, 500, 1, EndReason.ACTIVE_TIMEOUT, 10),
        session(500, 900, 1, EndReason.END_OF_FLOW, 30),
        session(900, 950, 2, EndReason.ACTIVE_TIMEOUT),
    ]
    expected = [(0, 900, "S-1", 30, 0), (900, 950, "S-2", None, None)]
    assert told(*parts) == told(*parts[::-1], parts[0]) == expected


def test_what_ended_for_a_reason_is_not_bridged() -> None:
    parts = [session(0, 100, 1, EndReason.END_OF_FLOW), session(160, 200, 1, EndReason.ACTIVE_TIMEOUT)]
    assert [each[:2] for each in told(*parts)] == [(0, 100), (160, 200)]
    parts[0]["end_reason"] = EndReason.IDLE_TIMEOUT
    assert [each[:2] for each in told(*parts)] == [(0, 200)]


def test_translations_are_one_only_where_they_touch() -> None:
    first, again, other = (
        session(*times, 0, EndReason.ACTIVE_TIMEOUT) for times in ((0, 9), (9, 20), (21, 30))
    )
    rows = np.concatenate([first, again, other])
    rows["evidence"], rows["nat_ip_lo"], rows["nat_port"], rows["mac"] = Evidence.NAT, 5, 40001, 0
    assert [each[:2] for each in told(rows)] == [(0, 20), (21, 30)]
    rows["nat_port"][1] = 40002
    assert [each[:2] for each in told(rows)] == [(0, 9), (9, 20), (21, 30)]
